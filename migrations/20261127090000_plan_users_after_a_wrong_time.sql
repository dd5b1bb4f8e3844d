-- A user is planned again although its row says that a run of a later day planned it: a person wrote the time, or the
-- service ran ahead of real time. Runs of the same day may be out of order, so a later one of them counts.
create function waits_for_plan(planned_at timestamptz, run timestamptz) returns boolean
    stable language sql as $$
    select planned_at is null or planned_at < run or planned_at > run + interval '24 hours'
$$;
comment on function waits_for_plan is 'Whether a user with this planned_at has not been planned for the run of this time.';
