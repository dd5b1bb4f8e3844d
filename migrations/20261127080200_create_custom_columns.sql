-- Columns of the users' own, for placeholders of scripts.

alter table prospects add column custom jsonb not null default '{}'
    constraint prospects_custom_form check (
        jsonb_typeof(custom) = 'object' and octet_length(custom::text) <= 20000
    );
comment on column prospects.custom is 'The prospect''s own columns by their names: the values of {custom.<name>} in scripts.';

create or replace view "Prospect" as
    select id, name, phone, user_id as userid, status, last_contacted as lastcontacted,
        rescheduled_for as rescheduledfor, time_zone as timezone, state, notes,
        next_call_at as nextcallat, custom
    from prospects;
