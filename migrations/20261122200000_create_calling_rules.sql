-- The law as data, and what else decides when and how often a number may be called.

create table calling_rules (
    id text primary key,
    jurisdiction text not null constraint calling_rules_jurisdiction_form
        check (jurisdiction ~ '^([*]|[A-Z]{2}(-[A-Z0-9]{1,3})?)$'),
    days integer[] not null default '{1,2,3,4,5,6,7}' constraint calling_rules_days_are_of_the_week
        check (days <@ '{1,2,3,4,5,6,7}' and days <> '{}'),
    opens time,
    closes time,
    cap_per_day integer constraint calling_rules_cap_per_day_positive check (cap_per_day > 0),
    cap_in_all integer constraint calling_rules_cap_in_all_positive check (cap_in_all > 0),
    effective_from date constraint calling_rules_effective_from_finite check (isfinite(effective_from)),
    effective_until date constraint calling_rules_effective_until_finite check (isfinite(effective_until)),
    source text not null,
    constraint calling_rules_hours_in_order check (
        (opens is null) = (closes is null) and (opens is null or opens < closes) and closes < '24:00'
    )
);
comment on table calling_rules is 'Legal calling hours and caps. Of all rules that concern a number the strictest holds; one that is changed here is obeyed by the next plan run and by the guard at once.';
comment on column calling_rules.jurisdiction is '* for every number, an ISO 3166-1 code as US, or an ISO 3166-2 code as US-FL.';
comment on column calling_rules.days is 'Days of the week that the rule is about, 1 for Monday to 7 for Sunday.';
comment on column calling_rules.opens is 'First moment of the called party''s local day at which a call may begin; null with closes: no call on these days.';
comment on column calling_rules.closes is 'First moment of the local day at which no call may begin any more; 24:00 is not possible, 23:59:59 is.';
comment on column calling_rules.cap_per_day is 'Calls to one number within any 24 hours, whoever they are made for.';
comment on column calling_rules.cap_in_all is 'Calls to one number in all, whoever they are made for.';
comment on column calling_rules.effective_from is 'First local day on which the rule holds; null: since ever.';
comment on column calling_rules.effective_until is 'First local day on which it no longer holds; null: for ever.';
comment on column calling_rules.source is 'Where the rule is written.';

insert into calling_rules (id, jurisdiction, days, opens, closes, cap_per_day, effective_from, source) values
    ('any', '*', '{1,2,3,4,5,6,7}', '08:00', '21:00', null, null, 'The hours of 47 CFR 64.1200(c)(1), kept everywhere'),
    ('us', 'US', '{1,2,3,4,5,6,7}', '08:00', '21:00', null, null, '47 CFR 64.1200(c)(1)'),
    ('us-fl', 'US-FL', '{1,2,3,4,5,6,7}', '08:00', '20:00', 3, null, 'Florida Statutes 501.059, 501.616'),
    ('us-ok', 'US-OK', '{1,2,3,4,5,6,7}', '08:00', '20:00', 3, null, 'Oklahoma Statutes 15-775C'),
    ('us-md', 'US-MD', '{1,2,3,4,5,6,7}', '08:00', '20:00', 3, null, 'Maryland Commercial Law 14-4502'),
    ('us-wa', 'US-WA', '{1,2,3,4,5,6,7}', '08:00', '20:00', null, null, 'Revised Code of Washington 80.36.390'),
    ('us-ct', 'US-CT', '{1,2,3,4,5,6,7}', '09:00', '20:00', null, null, 'Connecticut General Statutes 42-288a'),
    ('us-tx', 'US-TX', '{1,2,3,4,5,6}', '09:00', '21:00', null, null, 'Texas Business and Commerce Code 301.051'),
    ('us-tx-sunday', 'US-TX', '{7}', '12:00', '21:00', null, null, 'Texas Business and Commerce Code 301.051'),
    ('us-al', 'US-AL', '{1,2,3,4,5,6}', '08:00', '20:00', null, null, 'Alabama Telemarketing Act, Code of Alabama 8-19A'),
    ('us-al-sunday', 'US-AL', '{7}', null, null, null, null, 'Alabama Telemarketing Act, Code of Alabama 8-19A'),
    ('us-la', 'US-LA', '{1,2,3,4,5,6}', '08:00', '20:00', null, null, 'Louisiana Revised Statutes 45:844.14'),
    ('us-la-sunday', 'US-LA', '{7}', null, null, null, null, 'Louisiana Revised Statutes 45:844.14'),
    ('us-ms', 'US-MS', '{1,2,3,4,5,6}', '08:00', '20:00', null, null, 'Mississippi Code 77-3-723'),
    ('us-ms-sunday', 'US-MS', '{7}', null, null, null, null, 'Mississippi Code 77-3-723'),
    ('us-ma', 'US-MA', '{1,2,3,4,5,6,7}', '08:00', '20:00', null, null, 'Massachusetts General Laws 159C'),
    ('us-nv', 'US-NV', '{1,2,3,4,5,6,7}', '09:00', '20:00', null, null, 'Nevada Revised Statutes 598.0918'),
    ('us-nj', 'US-NJ', '{1,2,3,4,5,6,7}', '08:00', '20:00', null, null, 'New Jersey Statutes 56:8-119 and on'),
    ('us-pa-sunday', 'US-PA', '{7}', null, null, null, '2026-10-18', 'Pennsylvania, in force since 2026-10-18');

create table retry_rules (
    reason text not null,
    attempt integer not null constraint retry_rules_attempt_positive check (attempt > 0),
    pause interval not null constraint retry_rules_pause_positive check (pause > interval '0'),
    primary key (reason, attempt)
);
comment on table retry_rules is 'How long a prospect rests after a call that reached nobody, by the reason of its end (domain::status::Reason; * for any other).';
comment on column retry_rules.attempt is 'The how manieth call that ended so; the last row of a reason holds for all later ones.';
insert into retry_rules (reason, attempt, pause) values
    ('busy', 1, '15 minutes'),
    ('no_answer', 1, '2 hours'),
    ('no_answer', 2, '4 hours'),
    ('no_answer', 3, '24 hours'),
    ('voicemail', 1, '24 hours'),
    ('*', 1, '24 hours');

alter table prospects
    add column state text constraint prospects_state_form check (state ~ '^[A-Z]{2}-[A-Z0-9]{1,3}$'),
    add column notes text,
    add column next_call_at timestamptz
        constraint prospects_next_call_at_finite check (isfinite(next_call_at));
comment on column prospects.state is 'ISO 3166-2 code as US-FL of where the prospect is; its rules hold beside those of the number.';
comment on column prospects.notes is 'What the client knows of the prospect.';
comment on column prospects.next_call_at is 'The first moment at which the prospect may be called again, by retry_rules; null: at once.';
update prospects set next_call_at = last_contacted + interval '24 hours' where last_contacted is not null;
create index prospects_by_number on prospects (phone);
drop index prospects_waiting;
create index prospects_new on prospects (user_id, created_at)
    where status in ('INITIAL', 'NOT_RESPONDED', 'FAILED') and next_call_at is null;
create index prospects_resting on prospects (user_id, next_call_at)
    where status in ('INITIAL', 'NOT_RESPONDED', 'FAILED') and next_call_at is not null;

-- A contact that is entered by hand makes the prospect rest for a day.
create function rest_after_contact() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        new.next_call_at := coalesce(new.next_call_at, new.last_contacted + interval '24 hours');
    elsif new.last_contacted is distinct from old.last_contacted
            and new.next_call_at is not distinct from old.next_call_at then
        new.next_call_at := new.last_contacted + interval '24 hours';
    end if;
    return new;
end $$;
create trigger prospects_rest_after_contact before insert or update of last_contacted on prospects
    for each row execute function rest_after_contact();

alter table advanced_settings
    add column calling_days integer[] not null default '{1,2,3,4,5,6,7}'
        constraint advanced_settings_calling_days_are_of_the_week check (calling_days <@ '{1,2,3,4,5,6,7}'),
    add column days_off date[] not null default '{}' constraint advanced_settings_days_off_are_dates check (
        array_position(days_off, null) is null
        and 'infinity' <> all (days_off) and '-infinity' <> all (days_off)
    ),
    add column max_concurrent_calls integer
        constraint advanced_settings_max_concurrent_calls_positive check (max_concurrent_calls > 0);
comment on column advanced_settings.calling_days is 'Days of the week on which the window opens, 1 for Monday to 7 for Sunday.';
comment on column advanced_settings.days_off is 'Dates on which it does not, in the zone of the window.';
comment on column advanced_settings.max_concurrent_calls is 'Calls of this client that may be under way at once; null: as many as there are lines.';

alter table subscriptions add column period_started_at timestamptz not null default now()
    constraint subscriptions_period_started_at_finite check (isfinite(period_started_at));
comment on column subscriptions.period_started_at is 'Start of the present period; after the plan''s duration its minutes are granted again.';
-- Time in which a subscription was not active is not paid for.
create function begin_period() returns trigger language plpgsql as $$
begin
    new.period_started_at := now();
    return new;
end $$;
create trigger subscriptions_begin_period before update of status on subscriptions
    for each row when (new.status = 'ACTIVE' and old.status <> 'ACTIVE')
    execute function begin_period();

alter table conversations
    add column waiting_for_line_at timestamptz,
    add column earlier_runs text[] not null default '{}';
comment on column conversations.earlier_runs is 'The runs of its workflow before run_id: a late attempt of one of them opens nothing again.';
comment on column conversations.waiting_for_line_at is 'When it last asked for a line and found none; null: it does not wait for one.';
create index conversations_waiting_for_line on conversations (slot, id)
    where waiting_for_line_at is not null;
create index conversations_by_run on conversations (plan_run, user_id);
create index conversations_open_by_slot on conversations (slot)
    where status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS');
create index dials_by_number on dials (phone, sent_at) where sent_at is not null;
create index dials_live_by_number on dials (phone) where closed_at is null;

alter table suppressions
    add column conversation_id text;
comment on column suppressions.conversation_id is 'The call in which the callee asked for it; that one is not broken off by it.';
create function announce_suppression() returns trigger language plpgsql as $$
begin
    notify suppressions;
    return null;
end $$;
create trigger suppressions_announce after insert on suppressions
    for each statement execute function announce_suppression();

alter table plan_decisions
    add column priority double precision,
    add column calls_left integer,
    add column minutes_left integer;
comment on column plan_decisions.priority is 'The prospect''s score; promised calls come before all others.';
comment on column plan_decisions.calls_left is 'Calls of the day that the run could still plan for the user.';
comment on column plan_decisions.minutes_left is 'Minutes that the run could still plan for the user.';
create index plan_decisions_by_time on plan_decisions (decided_at);

create table admission_decisions (
    id bigint generated always as identity primary key,
    conversation_id text not null,
    user_id text not null,
    prospect_id text not null,
    verdict text not null
        constraint admission_decisions_verdict_known check (verdict in ('admitted', 'deferred', 'denied')),
    reason text,
    detail text,
    retry_at timestamptz,
    calls_left integer,
    minutes_left integer,
    lines_free integer,
    decided_at timestamptz not null
);
comment on table admission_decisions is 'What the guard said each time a call asked to be made; the same answer in a row is kept once.';
comment on column admission_decisions.reason is 'Why not now, or not at all; a word of domain::guard::Objection.';
comment on column admission_decisions.detail is 'The reason as a sentence.';
create index admission_decisions_by_prospect on admission_decisions (prospect_id, id);
create index admission_decisions_by_conversation on admission_decisions (conversation_id, id);
create index admission_decisions_by_time on admission_decisions (decided_at);

-- The views of clients grow by what they may want to set, or to see.
create or replace view "Prospect" as
    select id, name, phone, user_id as userid, status, last_contacted as lastcontacted,
        rescheduled_for as rescheduledfor, time_zone as timezone, state, notes,
        next_call_at as nextcallat
    from prospects;
create or replace view "Subscription" as
    select id, user_id as userid, plan_id as planid, minutes_left as minutesleft, status,
        period_started_at as periodstartedat
    from subscriptions;
create or replace view "AdvancedSetting" as
    select id, setting_id as settingid, time_zone as timezone, start_at as startat, end_at as endat,
        max_attempts as maxattempts, calling_days as callingdays, days_off as daysoff,
        max_concurrent_calls as maxconcurrentcalls
    from advanced_settings;

create view open_conversations as
    select * from conversations where status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS');
comment on view open_conversations is 'Conversations that are planned or in progress.';

create view attempts as
    select distinct prospect_id, conversation_id from dials
    where sent_at is not null and (state <> 'NOT_PLACED' or rejection is not null);
comment on view attempts is 'Conversations in which the prospect was dialled, or the provider rejected the dial.';

create view callees as
    select p.*,
        exists (select 1 from suppressions s
            where s.phone = p.phone and (s.user_id is null or s.user_id = p.user_id)) as suppressed,
        exists (select 1 from open_conversations c where c.prospect_id = p.id) as has_open_conversation,
        (select count(*) from attempts a where a.prospect_id = p.id) as attempts
    from prospects p;
comment on view callees is 'Prospects with what planning and admission need to know of them.';
