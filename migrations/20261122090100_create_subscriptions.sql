-- What a user has paid for, and the ledger of its minutes.

create type subscription_status as enum ('ACTIVE', 'PAUSED', 'EXPIRED', 'CANCELLED');
create type minute_kind as enum ('grant', 'reserve', 'release', 'charge', 'correct');

create table plans (
    id text primary key,
    name text not null,
    price numeric not null,
    minutes integer not null constraint plans_minutes_not_negative check (minutes >= 0),
    duration integer not null constraint plans_duration_positive check (duration > 0),
    per_day integer not null constraint plans_per_day_not_negative check (per_day >= 0)
);
comment on table plans is 'Plans that users can subscribe to.';
comment on column plans.minutes is 'Minutes of talk per period.';
comment on column plans.duration is 'Length of the period in days.';
comment on column plans.per_day is 'Maximum number of calls per local day of the user.';

create table subscriptions (
    id text primary key,
    user_id text not null constraint subscriptions_user_fk references users on delete cascade,
    plan_id text not null constraint subscriptions_plan_fk references plans,
    minutes_left integer not null
        constraint subscriptions_minutes_left_not_negative check (minutes_left >= 0),
    status subscription_status not null,
    period_started_at timestamptz not null default now()
        constraint subscriptions_period_started_at_finite check (isfinite(period_started_at))
);
comment on table subscriptions is 'Plans of users, and the minutes that are left.';
comment on column subscriptions.minutes_left is 'Minutes that are neither charged nor reserved; always the sum of the subscription''s ledger.';
comment on column subscriptions.period_started_at is 'Start of the current period; after the plan''s duration its minutes are granted again.';
create unique index subscriptions_one_active_per_user on subscriptions (user_id)
    where status = 'ACTIVE';

-- A subscription that becomes active starts a new period: the time in which it was not active grants no minutes.
create function start_period() returns trigger language plpgsql as $$
begin
    new.period_started_at := now();
    return new;
end $$;
create trigger subscriptions_start_period before update of status on subscriptions
    for each row when (new.status = 'ACTIVE' and old.status <> 'ACTIVE')
    execute function start_period();

create table minute_ledger (
    id bigint generated always as identity primary key,
    subscription_id text not null,
    conversation_id text,
    dial_id text,
    kind minute_kind not null,
    minutes integer not null,
    created_at timestamptz not null default now(),
    constraint minute_ledger_signs check (
        case kind
            when 'reserve' then minutes <= 0
            when 'charge' then minutes <= 0
            when 'release' then minutes >= 0
            else true
        end
    ),
    constraint minute_ledger_only_grants_without_dial check (kind = 'grant' or dial_id is not null)
);
comment on table minute_ledger is 'Every change of a subscription''s minutes; insert-only. Entries outlive the subscription.';
comment on column minute_ledger.kind is 'grant: minutes of a period, or a change by hand; reserve: held for a dial; release: the reservation ends with the dial; charge: minutes of talk; correct: a later correction of the charge.';
comment on column minute_ledger.minutes is 'What the entry adds to minutes_left.';
create unique index minute_ledger_once_per_dial on minute_ledger (dial_id, kind)
    where kind in ('reserve', 'release', 'charge');
create index minute_ledger_by_subscription on minute_ledger (subscription_id);
create index minute_ledger_by_conversation on minute_ledger (conversation_id);

-- Two triggers keep subscriptions.minutes_left equal to the sum of the ledger: a new entry changes minutes_left, and a
-- change of minutes_left by hand adds a grant. pg_trigger_depth() prevents that such a grant changes minutes_left again.
create function apply_ledger_entry() returns trigger language plpgsql as $$
begin
    if pg_trigger_depth() = 1 or new.kind <> 'grant' then
        update subscriptions set minutes_left = minutes_left + new.minutes
        where id = new.subscription_id;
    end if;
    return null;
end $$;
create trigger minute_ledger_apply_entry after insert on minute_ledger
    for each row execute function apply_ledger_entry();

create function add_ledger_entry_for_change_by_hand() returns trigger language plpgsql as $$
declare
    before integer := case when tg_op = 'INSERT' then 0 else old.minutes_left end;
    after integer := case when tg_op = 'DELETE' then 0 else new.minutes_left end;
begin
    -- A deletion that cascades from the user has a greater trigger depth and also adds an entry.
    if (pg_trigger_depth() = 1 or tg_op = 'DELETE') and before <> after then
        insert into minute_ledger (subscription_id, kind, minutes)
        values (case when tg_op = 'DELETE' then old.id else new.id end, 'grant', after - before);
    end if;
    return null;
end $$;
create trigger subscriptions_add_ledger_entry
    after insert or delete or update of minutes_left on subscriptions
    for each row execute function add_ledger_entry_for_change_by_hand();
