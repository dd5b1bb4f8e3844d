-- Users, their prospects, how the prospects are called, and whether calls are paused.

-- What people write is kept within what the service can compute with. Every column that people write has a constraint.

create function is_plausible(value timestamptz) returns boolean language sql immutable parallel safe
return value >= timestamptz '1900-01-01 00:00:00Z' and value < timestamptz '2200-01-01 00:00:00Z';
comment on function is_plausible(timestamptz) is 'Whether a time is in the range of the service: the 20th to the 22nd century.';

create function is_plausible(value date) returns boolean language sql immutable parallel safe
return value >= date '1900-01-01' and value < date '2200-01-01';

-- An array as clients send it: of one dimension, counted from 1, without null.
create function is_list(value anyarray, longest integer) returns boolean
language sql immutable parallel safe as $$
    select cardinality(value) = 0 or (
        array_ndims(value) = 1 and array_lower(value, 1) = 1 and cardinality(value) <= longest
        and array_position(value, null) is null
    )
$$;

-- The E.164 form of a number however people write it, so that two spellings of one number are equal. A number of ten
-- digits without a country code is taken as North American.
create function canonical_phone(phone text) returns text language sql immutable parallel safe cost 1000
return (
    select case when phone !~ '^\s*[+]' and length(digits) = 10 then '+1' else '+' end || digits
    from (select regexp_replace(regexp_replace(phone, '[^0-9]', '', 'g'), '^00', '') as digits) as written
);

create type prospect_status as enum (
    'INITIAL', 'RESCHEDULED', 'NOT_RESPONDED', 'FAILED', 'BOOKED', 'NOT_INTERESTED', 'DO_NOT_CALL'
);
create type theme as enum ('LIGHT', 'DARK');

create table users (
    id text primary key constraint users_id_length check (length(id) between 1 and 200),
    name text not null constraint users_name_length check (length(name) <= 1000),
    email text not null constraint users_email_length check (length(email) <= 1000),
    clerk_id text
        constraint users_clerk_id_unique unique
        constraint users_clerk_id_length check (length(clerk_id) <= 1000),
    company_name text constraint users_company_name_length check (length(company_name) <= 1000),
    planned_at timestamptz constraint users_planned_at_plausible check (is_plausible(planned_at)),
    paused_at timestamptz constraint users_paused_at_plausible check (is_plausible(paused_at)),
    created_at timestamptz not null default now()
        constraint users_created_at_plausible check (is_plausible(created_at)),
    updated_at timestamptz not null default now()
        constraint users_updated_at_plausible check (is_plausible(updated_at))
);
comment on table users is 'Users of the service.';
comment on column users.clerk_id is 'The user''s id at the identity provider.';
comment on column users.company_name is 'The value of {companyName} in scripts.';
comment on column users.planned_at is 'Nominal time of the last plan run that considered the user.';
comment on column users.paused_at is 'Since when no call is planned or begun for the user; null: calls may be made.';
create index users_by_planned_at on users (planned_at nulls first, id);

create table prospects (
    id text primary key constraint prospects_id_length check (length(id) between 1 and 200),
    user_id text not null constraint prospects_user_fk references users on delete cascade,
    name text not null constraint prospects_name_length check (length(name) <= 1000),
    phone text not null constraint prospects_phone_length check (length(phone) <= 100),
    status prospect_status not null default 'INITIAL',
    last_contacted timestamptz
        constraint prospects_last_contacted_plausible check (is_plausible(last_contacted)),
    rescheduled_for timestamptz
        constraint prospects_rescheduled_for_plausible check (is_plausible(rescheduled_for)),
    times_rescheduled integer not null default 0
        constraint prospects_times_rescheduled_not_negative check (times_rescheduled >= 0),
    next_call_at timestamptz
        constraint prospects_next_call_at_plausible check (is_plausible(next_call_at)),
    time_zone text constraint prospects_time_zone_length check (length(time_zone) <= 100),
    state text constraint prospects_state_form check (state ~ '^[A-Z]{2}-[A-Z0-9]{1,3}$'),
    notes text constraint prospects_notes_length check (length(notes) <= 100000),
    attempts_used_up boolean not null default false,
    created_at timestamptz not null default now()
        constraint prospects_created_at_plausible check (is_plausible(created_at)),
    updated_at timestamptz not null default now()
        constraint prospects_updated_at_plausible check (is_plausible(updated_at))
);
comment on table prospects is 'People to be called.';
comment on column prospects.phone is 'E.164; a prospect with any other text is skipped with a decision.';
comment on column prospects.last_contacted is 'When the last call to the prospect was made.';
comment on column prospects.rescheduled_for is 'The time of the callback of a RESCHEDULED prospect.';
comment on column prospects.times_rescheduled is 'How many callbacks were agreed; not counted beyond 10,000.';
comment on column prospects.next_call_at is 'The earliest next call, set from retry_rules; null: at once.';
comment on column prospects.attempts_used_up is 'The maximum number of calls is reached; plan runs leave the prospect out until its status is written or max_attempts is raised.';
comment on column prospects.time_zone is 'IANA name. Without one the zones of number and state count; if they determine none, the zone of the user''s calling window counts, or with STRICT_CALLING_HOURS the prospect is not called.';
comment on column prospects.state is 'ISO 3166-2 code such as US-FL; its calling rules hold as well as those of the number.';
comment on column prospects.notes is 'What the user knows of the prospect.';
create index prospects_by_phone on prospects (phone);
create index prospects_by_canonical_phone on prospects (canonical_phone(phone));
create index prospects_due on prospects (user_id, rescheduled_for)
    where status = 'RESCHEDULED' and not attempts_used_up;
create index prospects_new on prospects (user_id, created_at)
    where status in ('INITIAL', 'NOT_RESPONDED', 'FAILED') and next_call_at is null and not attempts_used_up;
create index prospects_cooling_down on prospects (user_id, next_call_at)
    where status in ('INITIAL', 'NOT_RESPONDED', 'FAILED') and next_call_at is not null and not attempts_used_up;
create index prospects_attempts_used_up on prospects (user_id) where attempts_used_up;

-- A contact that is entered by hand starts a cool-down of 24 hours.
create function start_cool_down_after_contact() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        new.next_call_at := coalesce(new.next_call_at, new.last_contacted + interval '24 hours');
    elsif new.last_contacted is distinct from old.last_contacted
            and new.next_call_at is not distinct from old.next_call_at then
        new.next_call_at := new.last_contacted + interval '24 hours';
    end if;
    return new;
end $$;
create trigger prospects_start_cool_down before insert or update of last_contacted on prospects
    for each row execute function start_cool_down_after_contact();

-- The service adds to the count, so the count must end before the type does.
create function limit_times_rescheduled() returns trigger language plpgsql as $$
begin
    new.times_rescheduled := least(new.times_rescheduled, 10000);
    return new;
end $$;
create trigger prospects_limit_times_rescheduled before insert or update of times_rescheduled on prospects
    for each row execute function limit_times_rescheduled();

-- A plan run counts the attempts of a prospect again once its status or its user is written.
create function reset_attempts_used_up() returns trigger language plpgsql as $$
begin
    new.attempts_used_up := false;
    return new;
end $$;
create trigger prospects_reset_attempts_used_up before update of status, user_id on prospects
    for each row when (old.attempts_used_up) execute function reset_attempts_used_up();

create table settings (
    id text primary key constraint settings_id_length check (length(id) <= 1000),
    user_id text not null
        constraint settings_user_fk references users on delete cascade
        constraint settings_one_per_user unique,
    theme theme not null default 'LIGHT'
);
comment on table settings is 'The settings of a user; the other tables of settings refer to this one.';

create table advanced_settings (
    id text primary key constraint advanced_settings_id_length check (length(id) <= 1000),
    setting_id text not null
        constraint advanced_settings_setting_fk references settings on delete cascade
        constraint advanced_settings_one_per_setting unique,
    time_zone text not null constraint advanced_settings_time_zone_length check (length(time_zone) <= 100),
    start_at time not null constraint advanced_settings_start_at_before_midnight check (start_at < '24:00'),
    end_at time not null,
    calling_days integer[] not null default '{1,2,3,4,5,6,7}'
        constraint advanced_settings_calling_days_are_of_the_week
        check (calling_days <@ '{1,2,3,4,5,6,7}' and is_list(calling_days, 7)),
    days_off date[] not null default '{}' constraint advanced_settings_days_off_are_dates check (
        is_list(days_off, 10000)
        and '1900-01-01' <= all (days_off) and '2200-01-01' > all (days_off)
    ),
    max_attempts integer not null default 5
        constraint advanced_settings_max_attempts_range check (max_attempts between 1 and 1000000),
    max_concurrent_calls integer
        constraint advanced_settings_max_concurrent_calls_range
        check (max_concurrent_calls between 1 and 1000000)
);
comment on table advanced_settings is 'When and how often a user''s prospects may be called.';
comment on column advanced_settings.time_zone is 'IANA name of the zone of the calling window.';
comment on column advanced_settings.start_at is 'Start of the daily calling window.';
comment on column advanced_settings.end_at is 'End of the daily calling window, exclusive; before start_at if the window crosses midnight. 24:00 is the end of the day.';
comment on column advanced_settings.calling_days is 'Days of the week on which the window opens, 1 for Monday to 7 for Sunday.';
comment on column advanced_settings.days_off is 'Dates in the zone of the window on which it does not open.';
comment on column advanced_settings.max_attempts is 'Maximum number of calls to one prospect.';
comment on column advanced_settings.max_concurrent_calls is 'Maximum number of live calls of the user at the same time; null: as many as there are lines.';

-- All prospects of the user at once: plan runs mark only those that they consider.
create function set_attempts_used_up_of_user() returns trigger language plpgsql as $$
begin
    update prospects p set attempts_used_up = counted.attempts >= new.max_attempts
    from (
        select o.id, count(a.prospect_id) as attempts from settings t
            join prospects o on o.user_id = t.user_id left join attempts a on a.prospect_id = o.id
        where t.id = new.setting_id group by o.id
    ) counted
    where counted.id = p.id and p.attempts_used_up <> (counted.attempts >= new.max_attempts);
    return null;
end $$;
create trigger advanced_settings_set_attempts_used_up
    after insert or update of max_attempts, setting_id on advanced_settings
    for each row execute function set_attempts_used_up_of_user();

create table script_settings (
    id text primary key constraint script_settings_id_length check (length(id) <= 1000),
    setting_id text not null
        constraint script_settings_setting_fk references settings on delete cascade
        constraint script_settings_one_per_setting unique,
    initial text not null constraint script_settings_initial_length check (length(initial) <= 100000),
    follow_up text not null constraint script_settings_follow_up_length check (length(follow_up) <= 100000)
);
comment on table script_settings is 'Instructions for the agent, with placeholders such as {prospectName}.';
comment on column script_settings.initial is 'For the first call to a prospect.';
comment on column script_settings.follow_up is 'For every later call.';

create table agent_settings (
    id text primary key constraint agent_settings_id_length check (length(id) <= 1000),
    setting_id text not null
        constraint agent_settings_setting_fk references settings on delete cascade
        constraint agent_settings_one_per_setting unique,
    language text not null constraint agent_settings_language_length check (length(language) <= 100),
    voice text not null constraint agent_settings_voice_length check (length(voice) <= 1000),
    first_message text not null
        constraint agent_settings_first_message_length check (length(first_message) <= 10000)
);
comment on table agent_settings is 'How the agent speaks.';
comment on column agent_settings.language is 'BCP 47 tag such as en or en-US.';
comment on column agent_settings.voice is 'A voice of the provider, or a word such as female that is mapped to one.';
comment on column agent_settings.first_message is 'Said if the callee answers and stays silent; may contain placeholders.';

create table service (
    only_row boolean primary key default true constraint service_has_one_row check (only_row),
    paused_at timestamptz constraint service_paused_at_plausible check (is_plausible(paused_at))
);
comment on table service is 'The state of the whole service; one row.';
comment on column service.paused_at is 'Since when no call is planned or begun for any user; null: calls may be made.';
insert into service default values;
