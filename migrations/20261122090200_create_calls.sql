-- Planned calls, the requests that rang phones, and what came of them.
--
-- These rows are records: they outlive the prospect and the client that they are about, and so
-- name them without a foreign key.

create type conversation_status as enum (
    'SCHEDULED', 'DIALING', 'IN_PROGRESS', 'COMPLETED', 'FAILED', 'CANCELLED'
);
create type call_outcome as enum (
    'APPOINTMENT_SET', 'CALLBACK_REQUESTED', 'NOT_INTERESTED', 'DO_NOT_CALL', 'NO_RESPONSE', 'FAILED'
);
create type dial_state as enum ('INTENDED', 'SENT', 'PLACED', 'NOT_PLACED');

create table conversations (
    id text primary key,
    user_id text not null,
    prospect_id text not null,
    sequence integer not null constraint conversations_sequence_positive check (sequence > 0),
    status conversation_status not null default 'SCHEDULED',
    slot timestamptz not null,
    plan_run text not null,
    run_id text,
    outcome call_outcome,
    outcome_time timestamptz,
    reason text,
    notes text,
    transcript text,
    answered_at timestamptz,
    ended_at timestamptz,
    talk_secs integer,
    recorded_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint conversations_sequence_unique unique (prospect_id, sequence),
    constraint conversations_recorded_when_closed check (
        (status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS')) = (recorded_at is null)
    )
);
comment on table conversations is 'Calls: one row for each planned call, one workflow call/<id>.';
comment on column conversations.id is '<prospect id>-<sequence>.';
comment on column conversations.sequence is 'Counts the prospect''s conversations from 1.';
comment on column conversations.slot is 'The moment for which the call is planned.';
comment on column conversations.plan_run is 'The plan run that planned it.';
comment on column conversations.run_id is 'The run of the workflow for which the call was last admitted; another one is a reset.';
comment on column conversations.outcome_time is 'The time of the appointment or of the callback that was agreed on.';
comment on column conversations.reason is 'Why it ended so, where the outcome alone does not say it; a word of domain::status::Reason.';
comment on column conversations.notes is 'What the agent, the client, the provider or the guard said beside.';
comment on column conversations.answered_at is 'When the callee answered.';
comment on column conversations.talk_secs is 'Seconds of talk.';
comment on column conversations.recorded_at is 'When the outcome was recorded.';
create unique index conversations_one_open_per_prospect on conversations (prospect_id)
    where status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS');
create index conversations_open_by_user on conversations (user_id, slot)
    where status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS');
create index conversations_by_user on conversations (user_id, created_at);

create table dials (
    id text primary key,
    conversation_id text not null
        constraint dials_conversation_fk references conversations on delete cascade,
    user_id text not null,
    prospect_id text not null,
    sequence integer not null constraint dials_sequence_positive check (sequence > 0),
    state dial_state not null default 'INTENDED',
    phone text not null,
    subscription_id text not null,
    reserved_minutes integer not null
        constraint dials_reserved_minutes_positive check (reserved_minutes > 0),
    dial_deadline timestamptz not null,
    provider_call_id text constraint dials_provider_call_unique unique,
    carrier_call_id text,
    rejection text,
    intended_at timestamptz not null,
    sent_at timestamptz,
    closed_at timestamptz,
    constraint dials_sequence_unique unique (conversation_id, sequence),
    constraint dials_sent_when_placed check (state not in ('SENT', 'PLACED') or sent_at is not null)
);
comment on table dials is 'Requests to ring a phone. INTENDED: none has left. SENT: one may have been accepted and is never repeated. PLACED: the provider has the call. NOT_PLACED: it has not and never will.';
comment on column dials.id is '<conversation id>.<sequence>; stands in the metadata of the provider''s call.';
comment on column dials.dial_deadline is 'The last moment at which the request may leave.';
comment on column dials.provider_call_id is 'Ultravox''s id of the call.';
comment on column dials.carrier_call_id is 'Telnyx''s id of the leg (CallSid).';
comment on column dials.rejection is 'Why the provider did not place it, in its words.';
comment on column dials.closed_at is 'When the dial was over; until then it uses a line.';
create unique index dials_one_live_per_conversation on dials (conversation_id)
    where closed_at is null;
create index dials_in_use on dials (user_id) where closed_at is null;
create index dials_sent_by_user on dials (user_id, sent_at) where sent_at is not null;
create index dials_sent_by_prospect on dials (prospect_id) where sent_at is not null;

-- A dial that is deleted with its conversation holds no minutes any more.
create function release_minutes_of_deleted_dial() returns trigger language plpgsql as $$
begin
    insert into minute_ledger (subscription_id, conversation_id, dial_id, kind, minutes)
    values (old.subscription_id, old.conversation_id, old.id, 'release', old.reserved_minutes)
    on conflict (dial_id, kind) where kind in ('reserve', 'release', 'charge') do nothing;
    return null;
end $$;
create trigger dials_release_minutes after delete on dials
    for each row when (old.closed_at is null) execute function release_minutes_of_deleted_dial();

create table appointments (
    id text primary key,
    conversation_id text not null constraint appointments_one_per_conversation unique,
    user_id text not null,
    prospect_id text not null,
    appointment_time timestamptz not null,
    notes text,
    created_at timestamptz not null default now()
);
comment on table appointments is 'Appointments that prospects agreed to.';
create index appointments_by_user on appointments (user_id, appointment_time);

create table suppressions (
    id bigint generated always as identity primary key,
    user_id text,
    phone text not null,
    reason text not null,
    created_at timestamptz not null default now(),
    constraint suppressions_once unique nulls not distinct (user_id, phone)
);
comment on table suppressions is 'Numbers that must not be called.';
comment on column suppressions.user_id is 'The client for whom it holds; for all of them if null.';
create index suppressions_by_phone on suppressions (phone);

create table plan_decisions (
    id bigint generated always as identity primary key,
    plan_run text not null,
    user_id text not null,
    prospect_id text,
    conversation_id text,
    slot timestamptz,
    reason text,
    detail text,
    next_allowed timestamptz,
    decided_at timestamptz not null default now(),
    constraint plan_decisions_once unique nulls not distinct (plan_run, user_id, prospect_id),
    constraint plan_decisions_slot_or_reason check ((slot is null) <> (reason is null))
);
comment on table plan_decisions is 'What each plan run said of each user and prospect that it considered.';
comment on column plan_decisions.prospect_id is 'Null where the run passed over the user as a whole.';
comment on column plan_decisions.reason is 'Why there is no slot; a word of domain::slots::SkipReason.';
comment on column plan_decisions.detail is 'The reason as a sentence.';
comment on column plan_decisions.next_allowed is 'When the reason no longer holds, if that is known.';
create index plan_decisions_by_prospect on plan_decisions (prospect_id, id);
