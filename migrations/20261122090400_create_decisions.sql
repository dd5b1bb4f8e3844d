-- Why a prospect was or was not called: the decisions of planning and admission.

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
    priority double precision,
    calls_left integer,
    minutes_left integer,
    decided_at timestamptz not null default now(),
    constraint plan_decisions_once unique nulls not distinct (plan_run, user_id, prospect_id),
    constraint plan_decisions_slot_or_reason check ((slot is null) <> (reason is null))
);
comment on table plan_decisions is 'The decisions of plan runs about users and prospects. A decision that skips a prospect for the same reason as the previous one is not stored again.';
comment on column plan_decisions.prospect_id is 'Null if the run skipped the user as a whole.';
comment on column plan_decisions.reason is 'Why there is no slot; a word of domain::BlockReason.';
comment on column plan_decisions.detail is 'The reason as a sentence.';
comment on column plan_decisions.next_allowed is 'When the reason no longer holds, if that is known.';
comment on column plan_decisions.priority is 'The prospect''s score; callbacks come before all others.';
comment on column plan_decisions.calls_left is 'Calls of the day that the run could still plan for the user.';
comment on column plan_decisions.minutes_left is 'Minutes that the run could still plan for the user.';
create index plan_decisions_by_prospect on plan_decisions (prospect_id, id);
create index plan_decisions_of_users on plan_decisions (user_id, id) where prospect_id is null;
create index plan_decisions_by_time on plan_decisions (decided_at);

create table admission_decisions (
    id bigint generated always as identity primary key,
    conversation_id text not null,
    user_id text not null,
    prospect_id text not null,
    decision text not null
        constraint admission_decisions_decision_known check (decision in ('admitted', 'deferred', 'denied')),
    reason text,
    detail text,
    retry_at timestamptz,
    calls_left integer,
    minutes_left integer,
    lines_free integer,
    decided_at timestamptz not null
);
comment on table admission_decisions is 'The decision of each admission of a call. A decision that equals the previous one of the call is not stored again.';
comment on column admission_decisions.reason is 'Why the call was deferred or denied; a word of domain::BlockReason.';
comment on column admission_decisions.detail is 'The reason as a sentence.';
comment on column admission_decisions.retry_at is 'When a deferred call asks for admission again.';
create index admission_decisions_by_prospect on admission_decisions (prospect_id, id);
create index admission_decisions_by_conversation on admission_decisions (conversation_id, id);
create index admission_decisions_by_time on admission_decisions (decided_at);
