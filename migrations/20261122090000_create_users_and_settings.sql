-- Users, their prospects, how the prospects are called, and whether calls are paused.

create type prospect_status as enum (
    'INITIAL', 'RESCHEDULED', 'NOT_RESPONDED', 'FAILED', 'BOOKED', 'NOT_INTERESTED', 'DO_NOT_CALL'
);
create type theme as enum ('LIGHT', 'DARK');

create table users (
    id text primary key constraint users_id_length check (length(id) between 1 and 200),
    name text not null,
    email text not null,
    clerk_id text constraint users_clerk_id_unique unique,
    company_name text,
    planned_at timestamptz,
    paused_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
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
    name text not null,
    phone text not null,
    status prospect_status not null default 'INITIAL',
    last_contacted timestamptz
        constraint prospects_last_contacted_finite check (isfinite(last_contacted)),
    rescheduled_for timestamptz
        constraint prospects_rescheduled_for_finite check (isfinite(rescheduled_for)),
    times_rescheduled integer not null default 0
        constraint prospects_times_rescheduled_not_negative check (times_rescheduled >= 0),
    next_call_at timestamptz
        constraint prospects_next_call_at_finite check (isfinite(next_call_at)),
    time_zone text,
    state text constraint prospects_state_form check (state ~ '^[A-Z]{2}-[A-Z0-9]{1,3}$'),
    notes text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table prospects is 'People to be called.';
comment on column prospects.phone is 'E.164; a prospect with any other text is skipped with a decision.';
comment on column prospects.last_contacted is 'When the last call to the prospect was made.';
comment on column prospects.rescheduled_for is 'The time of the callback of a RESCHEDULED prospect.';
comment on column prospects.times_rescheduled is 'How many callbacks were agreed.';
comment on column prospects.next_call_at is 'The earliest next call, set from retry_rules; null: at once.';
comment on column prospects.time_zone is 'IANA name. Without one the zones of number and state count; if they determine none, the zone of the user''s calling window counts, or with STRICT_CALLING_HOURS the prospect is not called.';
comment on column prospects.state is 'ISO 3166-2 code such as US-FL; its calling rules hold as well as those of the number.';
comment on column prospects.notes is 'What the user knows of the prospect.';
create index prospects_by_phone on prospects (phone);
create index prospects_due on prospects (user_id, rescheduled_for) where status = 'RESCHEDULED';
create index prospects_new on prospects (user_id, created_at)
    where status in ('INITIAL', 'NOT_RESPONDED', 'FAILED') and next_call_at is null;
create index prospects_cooling_down on prospects (user_id, next_call_at)
    where status in ('INITIAL', 'NOT_RESPONDED', 'FAILED') and next_call_at is not null;

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

create table settings (
    id text primary key,
    user_id text not null
        constraint settings_user_fk references users on delete cascade
        constraint settings_one_per_user unique,
    theme theme not null default 'LIGHT'
);
comment on table settings is 'The settings of a user; the other tables of settings refer to this one.';

create table advanced_settings (
    id text primary key,
    setting_id text not null
        constraint advanced_settings_setting_fk references settings on delete cascade
        constraint advanced_settings_one_per_setting unique,
    time_zone text not null,
    start_at time not null,
    end_at time not null,
    calling_days integer[] not null default '{1,2,3,4,5,6,7}'
        constraint advanced_settings_calling_days_are_of_the_week
        check (calling_days <@ '{1,2,3,4,5,6,7}'),
    days_off date[] not null default '{}' constraint advanced_settings_days_off_are_dates check (
        array_position(days_off, null) is null
        and 'infinity' <> all (days_off) and '-infinity' <> all (days_off)
    ),
    max_attempts integer not null default 5
        constraint advanced_settings_max_attempts_positive check (max_attempts > 0),
    max_concurrent_calls integer
        constraint advanced_settings_max_concurrent_calls_positive check (max_concurrent_calls > 0)
);
comment on table advanced_settings is 'When and how often a user''s prospects may be called.';
comment on column advanced_settings.time_zone is 'IANA name of the zone of the calling window.';
comment on column advanced_settings.start_at is 'Start of the daily calling window.';
comment on column advanced_settings.end_at is 'End of the daily calling window, exclusive; before start_at if the window crosses midnight.';
comment on column advanced_settings.calling_days is 'Days of the week on which the window opens, 1 for Monday to 7 for Sunday.';
comment on column advanced_settings.days_off is 'Dates in the zone of the window on which it does not open.';
comment on column advanced_settings.max_attempts is 'Maximum number of calls to one prospect.';
comment on column advanced_settings.max_concurrent_calls is 'Maximum number of live calls of the user at the same time; null: as many as there are lines.';

create table script_settings (
    id text primary key,
    setting_id text not null
        constraint script_settings_setting_fk references settings on delete cascade
        constraint script_settings_one_per_setting unique,
    initial text not null,
    follow_up text not null
);
comment on table script_settings is 'Instructions for the agent, with placeholders such as {prospectName}.';
comment on column script_settings.initial is 'For the first call to a prospect.';
comment on column script_settings.follow_up is 'For every later call.';

create table agent_settings (
    id text primary key,
    setting_id text not null
        constraint agent_settings_setting_fk references settings on delete cascade
        constraint agent_settings_one_per_setting unique,
    language text not null,
    voice text not null,
    first_message text not null
);
comment on table agent_settings is 'How the agent speaks.';
comment on column agent_settings.language is 'BCP 47 tag such as en or en-US.';
comment on column agent_settings.voice is 'A voice of the provider, or a word such as female that is mapped to one.';
comment on column agent_settings.first_message is 'Said if the callee answers and stays silent; may contain placeholders.';

create table service (
    only_row boolean primary key default true constraint service_has_one_row check (only_row),
    paused_at timestamptz
);
comment on table service is 'The state of the whole service; one row.';
comment on column service.paused_at is 'Since when no call is planned or begun for any user; null: calls may be made.';
insert into service default values;
