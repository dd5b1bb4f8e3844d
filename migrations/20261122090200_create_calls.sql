-- Planned calls, the dials that rang phones, and the appointments that were agreed.
--
-- These rows are records: they outlive their user and prospect, so they name them without a foreign key.

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
    earlier_runs text[] not null default '{}',
    generation integer not null default 0,
    waiting_for_line_at timestamptz,
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
comment on table conversations is 'Calls: one row for each planned call and its workflow call/<id>.';
comment on column conversations.id is '<prospect id>-<sequence>.';
comment on column conversations.sequence is 'Counts the prospect''s conversations from 1.';
comment on column conversations.slot is 'The time for which the call is planned.';
comment on column conversations.plan_run is 'The plan run that planned the call.';
comment on column conversations.run_id is 'The workflow run that was last admitted. A different run means that the workflow was reset.';
comment on column conversations.earlier_runs is 'Workflow runs that were admitted before run_id; a late attempt of one of them does not reopen the call.';
comment on column conversations.generation is 'How often the call was reopened after its record, to be made again.';
comment on column conversations.waiting_for_line_at is 'When the call last asked for a line and none was free; null: it does not wait for one.';
comment on column conversations.outcome_time is 'The time of the appointment or callback that was agreed.';
comment on column conversations.reason is 'Why the call ended so, if the outcome does not say it; a word of domain::status::Reason.';
comment on column conversations.notes is 'Notes of agent, user, provider or admission.';
comment on column conversations.answered_at is 'When the callee answered.';
comment on column conversations.talk_secs is 'Seconds of talk.';
comment on column conversations.recorded_at is 'When the outcome was recorded.';
create unique index conversations_one_open_per_prospect on conversations (prospect_id)
    where status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS');
create index conversations_open_by_user on conversations (user_id, slot)
    where status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS');
create index conversations_open_by_slot on conversations (slot)
    where status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS');
create index conversations_waiting_for_line on conversations (slot, id)
    where waiting_for_line_at is not null;
create index conversations_by_user on conversations (user_id, created_at);
create index conversations_by_run on conversations (plan_run, user_id);

create table dials (
    id text primary key,
    conversation_id text not null
        constraint dials_conversation_fk references conversations on delete cascade,
    user_id text not null,
    prospect_id text not null,
    sequence integer not null constraint dials_sequence_positive check (sequence > 0),
    generation integer not null default 0,
    state dial_state not null default 'INTENDED',
    phone text not null,
    subscription_id text not null,
    reserved_minutes integer not null
        constraint dials_reserved_minutes_positive check (reserved_minutes > 0),
    dial_deadline timestamptz not null,
    join_timeout_secs integer not null
        constraint dials_join_timeout_positive check (join_timeout_secs > 0),
    max_duration_secs integer not null
        constraint dials_max_duration_positive check (max_duration_secs > 0),
    provider_call_id text constraint dials_provider_call_unique unique,
    carrier_call_id text,
    rejection text,
    intended_at timestamptz not null,
    sent_at timestamptz,
    not_found_at timestamptz,
    answered_at timestamptz,
    closed_at timestamptz,
    transcript_read_at timestamptz,
    constraint dials_sequence_unique unique (conversation_id, sequence),
    constraint dials_sent_when_placed check (state not in ('SENT', 'PLACED') or sent_at is not null)
);
comment on table dials is 'Requests to ring a phone. INTENDED: no request has left. SENT: a request may have been accepted; it is never repeated. PLACED: the provider has the call. NOT_PLACED: the provider does not have the call and never will.';
comment on column dials.id is '<conversation id>.<sequence>; dial_id in the metadata of the provider''s call.';
comment on column dials.sequence is 'Counts the conversation''s dials from 1.';
comment on column dials.generation is 'The generation of the conversation for which the dial was admitted.';
comment on column dials.join_timeout_secs is 'Seconds from the request after which the provider gives up on an unanswered call.';
comment on column dials.max_duration_secs is 'Seconds of talk after which the provider ends the call.';
comment on column dials.dial_deadline is 'The last instant at which the request may leave.';
comment on column dials.provider_call_id is 'Ultravox''s id of the call.';
comment on column dials.carrier_call_id is 'Telnyx''s id of the leg (CallSid).';
comment on column dials.rejection is 'Why the provider rejected the dial, in its own words.';
comment on column dials.not_found_at is 'The first of the lookups in a row, after the join timeout, that did not find the call.';
comment on column dials.answered_at is 'When the callee answered.';
comment on column dials.closed_at is 'When provider or carrier reported the end, or the longest possible end had passed; until then the dial uses a line, and its number is busy.';
comment on column dials.transcript_read_at is 'When the messages of the answered call were read; until then a sweep tries it again.';
create unique index dials_one_live_per_conversation on dials (conversation_id)
    where closed_at is null;
create index dials_transcript_due on dials (closed_at)
    where answered_at is not null and transcript_read_at is null;
create index dials_live_by_user on dials (user_id) where closed_at is null;
create index dials_live_by_phone on dials (phone) where closed_at is null;
create index dials_sent_by_user on dials (user_id, sent_at) where sent_at is not null;
create index dials_sent_by_phone on dials (phone, sent_at) where sent_at is not null;
create index dials_sent_by_prospect on dials (prospect_id) where sent_at is not null;

create table call_events (
    conversation_id text not null
        constraint call_events_conversation_fk references conversations on delete cascade,
    dial_id text,
    run_id text,
    generation integer not null,
    source text not null constraint call_events_source_known
        check (source in ('provider', 'agent', 'carrier', 'user', 'service')),
    event jsonb not null,
    received_at timestamptz not null
);
comment on table call_events is 'Everything that was said about a call; insert-only. Outcome, charge, appointment, status of the prospect and suppression are derived from these rows alone (domain::call_log).';
comment on column call_events.dial_id is 'Null if the sender does not know dials.';
comment on column call_events.run_id is 'The workflow run that ended; null for events.';
comment on column call_events.generation is 'The generation of the conversation when the event was first stored.';
comment on column call_events.event is 'A domain::facts::DialEvent or domain::call_log::RunEnd.';
-- The same event is the same row, whoever stores it, and however often.
create unique index call_events_once on call_events
    (conversation_id, coalesce(dial_id, ''), coalesce(run_id, ''), md5(event::text));

create table unread_messages (
    conversation_id text not null
        constraint unread_messages_conversation_fk references conversations on delete cascade,
    message jsonb not null,
    received_at timestamptz not null
);
comment on table unread_messages is 'Authenticated messages with a word that the build which received them does not know. A sweep of a newer build reads them.';
create unique index unread_messages_once on unread_messages (conversation_id, md5(message::text));

-- Without the row of a live dial, its phone could be dialled again while it rings.
create function keep_live_dial() returns trigger language plpgsql as $$
begin
    raise exception 'the call of conversation % is live', old.conversation_id
        using hint = 'Delete it once the call is over. To end the call, cancel its workflow call/'
            || old.conversation_id || '.';
end $$;
create trigger dials_keep_live before delete on dials
    for each row when (old.closed_at is null and old.state in ('SENT', 'PLACED'))
    execute function keep_live_dial();

-- A dial that is deleted with its conversation before its request is sent releases its reserved minutes.
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
