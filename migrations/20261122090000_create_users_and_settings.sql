-- Clients, the people they want called, and how they want them called.

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
comment on table users is 'Clients of the service.';
comment on column users.clerk_id is 'The client''s id at the identity provider.';
comment on column users.company_name is 'What {companyName} in scripts stands for.';
comment on column users.planned_at is 'Nominal time of the last plan run that considered this user.';
comment on column users.paused_at is 'Since when no call is planned or begun for this client; null if calls may be made.';
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
    time_zone text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table prospects is 'People to be called.';
comment on column prospects.phone is 'E.164; a prospect with any other text is skipped with a decision.';
comment on column prospects.last_contacted is 'When the last call to the prospect was made.';
comment on column prospects.rescheduled_for is 'The promised time of a RESCHEDULED prospect.';
comment on column prospects.time_zone is 'IANA name; without one the user''s zone counts.';
create index prospects_due on prospects (user_id, rescheduled_for) where status = 'RESCHEDULED';
create index prospects_waiting on prospects (user_id, (coalesce(last_contacted, created_at)))
    where status in ('INITIAL', 'NOT_RESPONDED', 'FAILED');

create table settings (
    id text primary key,
    user_id text not null
        constraint settings_user_fk references users on delete cascade
        constraint settings_one_per_user unique,
    theme theme not null default 'LIGHT'
);
comment on table settings is 'The root of a client''s settings.';

create table advanced_settings (
    id text primary key,
    setting_id text not null
        constraint advanced_settings_setting_fk references settings on delete cascade
        constraint advanced_settings_one_per_setting unique,
    time_zone text not null,
    start_at time not null,
    end_at time not null,
    max_attempts integer not null default 5
        constraint advanced_settings_max_attempts_positive check (max_attempts > 0)
);
comment on table advanced_settings is 'When a client''s prospects may be called.';
comment on column advanced_settings.time_zone is 'IANA name of the zone in which the window is meant.';
comment on column advanced_settings.start_at is 'First moment of the daily calling window.';
comment on column advanced_settings.end_at is 'First moment after the daily calling window; before start_at for one across midnight.';
comment on column advanced_settings.max_attempts is 'Calls that may be made to one prospect in all.';

create table script_settings (
    id text primary key,
    setting_id text not null
        constraint script_settings_setting_fk references settings on delete cascade
        constraint script_settings_one_per_setting unique,
    initial text not null,
    follow_up text not null
);
comment on table script_settings is 'What the agent is told to do, with placeholders such as {prospectName}.';
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
comment on table agent_settings is 'How the agent sounds.';
comment on column agent_settings.language is 'BCP 47 tag, as en or en-US.';
comment on column agent_settings.voice is 'A voice of the provider, or a plain word such as female that is mapped to one.';
comment on column agent_settings.first_message is 'Said when the callee answers and stays silent; may hold placeholders.';

create table service (
    only_row boolean primary key default true constraint service_has_one_row check (only_row),
    paused_at timestamptz
);
comment on table service is 'The state of the service as a whole; one row.';
comment on column service.paused_at is 'Since when no call is planned or begun for anybody; null if calls may be made.';
insert into service default values;
