-- Whether, when and how often a number may be called: legal hours and caps, cool-downs, and numbers that must not be
-- called.

create table calling_rules (
    id text primary key constraint calling_rules_id_length check (length(id) <= 1000),
    jurisdiction text not null constraint calling_rules_jurisdiction_form
        check (jurisdiction ~ '^([*]|[A-Z]{2}(-[A-Z0-9]{1,3})?)$'),
    days integer[] not null default '{1,2,3,4,5,6,7}' constraint calling_rules_days_are_of_the_week
        check (days <@ '{1,2,3,4,5,6,7}' and days <> '{}' and is_list(days, 7)),
    opens time,
    closes time,
    cap_per_day integer constraint calling_rules_cap_per_day_range check (cap_per_day between 1 and 1000000),
    cap_in_all integer constraint calling_rules_cap_in_all_range check (cap_in_all between 1 and 1000000),
    effective_from date
        constraint calling_rules_effective_from_plausible check (is_plausible(effective_from)),
    effective_until date
        constraint calling_rules_effective_until_plausible check (is_plausible(effective_until)),
    source text not null constraint calling_rules_source_length check (length(source) <= 10000),
    constraint calling_rules_hours_in_order check (
        (opens is null) = (closes is null) and (opens is null or opens < closes) and closes < '24:00'
    )
);
comment on table calling_rules is 'Legal calling hours and caps. If several rules concern a number, the strictest one holds. A change applies to admission at once, and to planning from the next plan run.';
comment on column calling_rules.jurisdiction is '* for every number, an ISO 3166-1 code such as US, or an ISO 3166-2 code such as US-FL.';
comment on column calling_rules.days is 'Days of the week to which the rule applies, 1 for Monday to 7 for Sunday.';
comment on column calling_rules.opens is 'Local time of the callee from which a call may begin; null with closes: no call on these days.';
comment on column calling_rules.closes is 'Local time of the callee from which no call may begin; 23:59:59 at the latest.';
comment on column calling_rules.cap_per_day is 'Maximum number of calls to one number within any 24 hours, all users together.';
comment on column calling_rules.cap_in_all is 'Maximum number of calls to one number, all users together.';
comment on column calling_rules.effective_from is 'First local day on which the rule holds; null: no start.';
comment on column calling_rules.effective_until is 'First local day on which the rule no longer holds; null: no end.';
comment on column calling_rules.source is 'Where the rule is published.';

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
    reason text not null constraint retry_rules_reason_length check (length(reason) <= 100),
    attempt integer not null constraint retry_rules_attempt_range check (attempt between 1 and 10000),
    pause interval not null
        constraint retry_rules_pause_range check (pause between interval '1 second' and interval '5 years'),
    primary key (reason, attempt)
);
comment on table retry_rules is 'The cool-down of a prospect after a call without a final outcome.';
comment on column retry_rules.reason is 'Why the call ended, a word of domain::status::Reason; * for every reason without a rule of its own.';
comment on column retry_rules.attempt is 'Counts the prospect''s calls that ended for this reason, from 1. The highest rule applies to all later calls.';
comment on column retry_rules.pause is 'The cool-down.';

insert into retry_rules (reason, attempt, pause) values
    ('busy', 1, '15 minutes'),
    ('no_answer', 1, '2 hours'),
    ('no_answer', 2, '4 hours'),
    ('no_answer', 3, '24 hours'),
    ('voicemail', 1, '24 hours'),
    ('*', 1, '24 hours');

create table suppressions (
    id bigint generated always as identity primary key,
    user_id text constraint suppressions_user_id_length check (length(user_id) <= 1000),
    phone text not null constraint suppressions_phone_length check (length(phone) <= 100),
    reason text not null constraint suppressions_reason_length check (length(reason) <= 10000),
    conversation_id text
        constraint suppressions_conversation_id_length check (length(conversation_id) <= 1000),
    created_at timestamptz not null default now()
        constraint suppressions_created_at_plausible check (is_plausible(created_at)),
    constraint suppressions_once unique nulls not distinct (user_id, phone)
);
comment on table suppressions is 'Numbers that must not be called.';
comment on column suppressions.phone is 'The number in any spelling; without a country code it is taken as North American.';
comment on column suppressions.user_id is 'The user for whom the suppression holds; null: for all users.';
comment on column suppressions.conversation_id is 'The call in which the callee opted out; the suppression does not cancel that call.';
create index suppressions_by_phone on suppressions (phone);
create index suppressions_by_canonical_phone on suppressions (canonical_phone(phone));

-- Workers listen on this channel and cancel open calls to suppressed numbers.
create function notify_suppressions() returns trigger language plpgsql as $$
begin
    notify suppressions;
    return null;
end $$;
create trigger suppressions_notify after insert on suppressions
    for each statement execute function notify_suppressions();
