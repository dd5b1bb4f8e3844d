-- What a user has paid for, and the ledger of its minutes.

create type subscription_status as enum ('ACTIVE', 'PAUSED', 'EXPIRED', 'CANCELLED');
create type minute_kind as enum ('grant', 'reserve', 'release', 'charge', 'correct');

create table plans (
    id text primary key constraint plans_id_length check (length(id) <= 1000),
    name text not null constraint plans_name_length check (length(name) <= 1000),
    price numeric not null constraint plans_price_range check (price >= 0 and price < 1e12),
    minutes integer not null constraint plans_minutes_range check (minutes between 0 and 10000000),
    duration integer not null constraint plans_duration_range check (duration between 1 and 36500),
    per_day integer not null constraint plans_per_day_range check (per_day between 0 and 1000000)
);
comment on table plans is 'Plans that users can subscribe to.';
comment on column plans.minutes is 'Minutes of talk per period; a change holds from each subscription''s next period.';
comment on column plans.duration is 'Length of the period in days; a change holds from each subscription''s next period.';
comment on column plans.per_day is 'Maximum number of calls per local day of the user.';

create table subscriptions (
    id text primary key constraint subscriptions_id_length check (length(id) <= 1000),
    user_id text not null constraint subscriptions_user_fk references users on delete cascade,
    plan_id text not null constraint subscriptions_plan_fk references plans,
    minutes_left integer not null
        constraint subscriptions_minutes_left_not_negative check (minutes_left >= 0),
    status subscription_status not null,
    period_started_at timestamptz not null default now()
        constraint subscriptions_period_started_at_plausible check (is_plausible(period_started_at)),
    period_ends_at timestamptz not null
        constraint subscriptions_period_ends_at_plausible check (is_plausible(period_ends_at)),
    inactive_since timestamptz
        constraint subscriptions_inactive_since_plausible check (is_plausible(inactive_since))
);
comment on table subscriptions is 'Plans of users, and the minutes that are left.';
comment on column subscriptions.minutes_left is 'Minutes that are neither charged nor reserved; always the sum of the subscription''s ledger. By hand at most 1,000,000,000.';
comment on column subscriptions.period_started_at is 'Start of the current period.';
comment on column subscriptions.period_ends_at is 'End of the current period, fixed when it starts. Then the next period starts with the minutes and the duration that the plan has at that time.';
comment on column subscriptions.inactive_since is 'Since when the subscription is not ACTIVE. Once it is ACTIVE again, its period ends later by this time.';
create unique index subscriptions_one_active_per_user on subscriptions (user_id)
    where status = 'ACTIVE';
create index subscriptions_by_plan on subscriptions (plan_id);

create table minute_ledger (
    id bigint generated always as identity primary key,
    subscription_id text not null,
    conversation_id text,
    dial_id text,
    kind minute_kind not null,
    minutes integer not null
        constraint minute_ledger_minutes_range check (minutes between -2000000000 and 2000000000),
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
-- change of minutes_left by hand adds a grant. While one of them acts, calls.ledger_follows keeps the other one still.
create function ledger_follows() returns boolean language sql stable
return coalesce(current_setting('calls.ledger_follows', true), '') = 'on';

create function apply_ledger_entry() returns trigger language plpgsql as $$
begin
    perform set_config('calls.ledger_follows', 'on', true);
    update subscriptions set minutes_left = minutes_left + new.minutes where id = new.subscription_id;
    perform set_config('calls.ledger_follows', 'off', true);
    return null;
end $$;
create trigger minute_ledger_apply_entry after insert on minute_ledger
    for each row when (not ledger_follows()) execute function apply_ledger_entry();

create function add_ledger_entry_for_change_by_hand() returns trigger language plpgsql as $$
declare
    before integer := case when tg_op = 'INSERT' then 0 else old.minutes_left end;
    after integer := case when tg_op = 'DELETE' then 0 else new.minutes_left end;
begin
    if before = after then
        return null;
    end if;
    -- Reservations that end later are added to the balance: it must not be at the end of its type.
    if after > 1000000000 then
        raise check_violation using
            constraint = 'subscriptions_minutes_left_range',
            message = 'minutes_left of a subscription can''t be set to more than 1000000000';
    end if;
    perform set_config('calls.ledger_follows', 'on', true);
    insert into minute_ledger (subscription_id, kind, minutes)
    values (case when tg_op = 'DELETE' then old.id else new.id end, 'grant', after - before);
    perform set_config('calls.ledger_follows', 'off', true);
    return null;
end $$;
-- Not "of minutes_left": that would leave out what a trigger adds to another update.
create trigger subscriptions_add_ledger_entry after insert or delete or update on subscriptions
    for each row when (not ledger_follows()) execute function add_ledger_entry_for_change_by_hand();

-- Periods. A period keeps its end from its start; the next one starts with the terms that the plan has then. Whatever
-- changes the terms first starts the periods that are due, under the old terms.

create function days(count bigint) returns interval language sql immutable parallel safe
return count * interval '24 hours';

-- The number of periods that have started by a time, after one that ends at ends_at.
create function periods_started(ends_at timestamptz, duration integer, by_time timestamptz) returns bigint
    language sql immutable parallel safe
return case when by_time < ends_at then 0
    else 1 + floor(extract(epoch from by_time - ends_at) / (duration * 86400::bigint))::bigint end;

-- The minutes that some periods add to a balance; it stays within its range.
create function minutes_of_periods(count bigint, minutes integer, minutes_left integer) returns integer
    language sql immutable parallel safe
return least(count * minutes, greatest(0, 1000000000 - minutes_left))::integer;

create function start_due_periods(ids text[], by_time timestamptz) returns void language sql as $$
    with due as (
        select s.id, s.minutes_left, p.minutes, p.duration,
            periods_started(s.period_ends_at, p.duration, by_time) as count
        from subscriptions s join plans p on p.id = s.plan_id
        where s.id = any (ids) and s.status = 'ACTIVE' and s.period_ends_at <= by_time
        for update of s
    ), started as (
        update subscriptions s
        set period_started_at = s.period_ends_at + days((due.count - 1) * due.duration),
            period_ends_at = s.period_ends_at + days(due.count * due.duration)
        from due where due.id = s.id
        returning s.id, minutes_of_periods(due.count, due.minutes, due.minutes_left) as minutes
    )
    insert into minute_ledger (subscription_id, kind, minutes)
    select id, 'grant', minutes from started where minutes > 0
$$;
comment on function start_due_periods is 'Starts the periods of active subscriptions that are due by a time, and grants their minutes.';

create function keep_period() returns trigger language plpgsql as $$
declare
    terms plans;
    count bigint;
begin
    if tg_op = 'INSERT' then
        new.period_ends_at := coalesce(new.period_ends_at, new.period_started_at
            + days((select duration from plans where id = new.plan_id)));
        new.inactive_since := case when new.status <> 'ACTIVE' then coalesce(new.inactive_since, now()) end;
        return new;
    end if;
    -- A period that is moved by hand keeps its length.
    if new.period_started_at <> old.period_started_at and new.period_ends_at = old.period_ends_at then
        new.period_ends_at := new.period_ends_at + (new.period_started_at - old.period_started_at);
    end if;
    if old.status = 'ACTIVE' and (new.plan_id <> old.plan_id or new.status <> 'ACTIVE') then
        select * into terms from plans where id = old.plan_id;
        count := periods_started(new.period_ends_at, terms.duration, now());
        if count > 0 then
            new.period_started_at := new.period_ends_at + days((count - 1) * terms.duration);
            new.period_ends_at := new.period_ends_at + days(count * terms.duration);
            new.minutes_left := new.minutes_left + minutes_of_periods(count, terms.minutes, new.minutes_left);
        end if;
    end if;
    if old.status = 'ACTIVE' and new.status <> 'ACTIVE' then
        new.inactive_since := now();
    elsif old.status <> 'ACTIVE' and new.status = 'ACTIVE' then
        new.period_started_at := new.period_started_at + (now() - coalesce(new.inactive_since, now()));
        new.period_ends_at := new.period_ends_at + (now() - coalesce(new.inactive_since, now()));
        new.inactive_since := null;
    end if;
    return new;
end $$;
create trigger subscriptions_keep_period
    before insert or update of plan_id, status, period_started_at, period_ends_at on subscriptions
    for each row execute function keep_period();

create function start_due_periods_of_plan() returns trigger language plpgsql as $$
begin
    perform start_due_periods(array(select id from subscriptions where plan_id = old.id), now());
    return new;
end $$;
create trigger plans_start_due_periods before update of minutes, duration on plans
    for each row when ((new.minutes, new.duration) is distinct from (old.minutes, old.duration))
    execute function start_due_periods_of_plan();
