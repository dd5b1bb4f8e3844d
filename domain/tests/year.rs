//! A year of plan runs and admissions on a simulated clock, checked against a second implementation of the law: no call
//! is out of hours, no cap is exceeded, and every callback is made.
//!
//! Prospects have numbers of every area code of North America and of twenty other countries. The users' windows are
//! in zones of both hemispheres, of half and quarter hours, by day and across midnight, on some days of the week, with
//! days off. The rules are those that the database is seeded with; one of them takes effect within the year.

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use domain::admission::{self, AdmissionContext, Callee, Decision};
use domain::callee_zones::zones_of_callee;
use domain::cool_down::{RetryRule, cool_down};
use domain::hours::{DIAL_MARGIN, DailyWindow};
use domain::ids::ProspectId;
use domain::pacing::Pacing;
use domain::phone_usage::PhoneUsage;
use domain::priority::PriorityInput;
use domain::rules::Rule;
use domain::slots::{self, Budget, Candidate, PlanContext, PlanInterval};
use domain::status::{ProspectStatus, Reason};
use domain::weekdays::Weekdays;
use domain::{BlockReason, jurisdictions};
use fastrand::Rng;

const SEEDS: &str = include_str!("../../migrations/20261122090300_create_rules.sql");
const PLACES: &str = include_str!("../data/jurisdictions.tsv");
const RUN: TimeDelta = TimeDelta::minutes(30);
const PER_DAY: i32 = 200;
/// Callbacks younger than this may be open at the end.
const OUTSTANDING: TimeDelta = TimeDelta::days(30);

/// Synthetic numbers of twenty countries outside North America.
const ABROAD: [&str; 20] = [
    "+4930555010",
    "+442079460100",
    "+33155501000",
    "+34915550100",
    "+390655501000",
    "+61255501000",
    "+61885550100",
    "+64955501000",
    "+551155501000",
    "+5491155501000",
    "+525555501000",
    "+81355501000",
    "+912255501000",
    "+97715550100",
    "+27115550100",
    "+97145550100",
    "+60355501000",
    "+6566550100",
    "+48225550100",
    "+46855501000",
];

/// The settings of a user.
struct User {
    zone: &'static str,
    opens: &'static str,
    closes: &'static str,
    days: &'static [i32],
    off: &'static [&'static str],
}

const WEEK: &[i32] = &[1, 2, 3, 4, 5, 6, 7];
const WORK: &[i32] = &[1, 2, 3, 4, 5];
const USERS: [User; 10] = [
    User {
        zone: "America/New_York",
        opens: "09:00",
        closes: "17:00",
        days: WORK,
        off: &["2026-07-03", "2026-11-26", "2026-12-25"],
    },
    User {
        zone: "America/Los_Angeles",
        opens: "06:00",
        closes: "20:30",
        days: WEEK,
        off: &["2026-01-01"],
    },
    User { zone: "America/St_Johns", opens: "10:30", closes: "23:00", days: WEEK, off: &[] },
    User {
        zone: "America/Sao_Paulo",
        opens: "08:00",
        closes: "18:00",
        days: &[1, 2, 3, 4, 5, 6],
        off: &["2026-02-17"],
    },
    User {
        zone: "Europe/Berlin",
        opens: "14:00",
        closes: "02:00",
        days: WORK,
        off: &["2026-05-01"],
    },
    User { zone: "Asia/Kolkata", opens: "18:00", closes: "06:00", days: WEEK, off: &[] },
    User { zone: "Asia/Kathmandu", opens: "00:00", closes: "23:59", days: WEEK, off: &[] },
    User {
        zone: "Australia/Adelaide",
        opens: "08:15",
        closes: "20:45",
        days: WEEK,
        off: &["2026-01-26"],
    },
    User { zone: "Australia/Lord_Howe", opens: "01:45", closes: "15:00", days: WEEK, off: &[] },
    User {
        zone: "Pacific/Auckland",
        opens: "00:30",
        closes: "14:30",
        days: WEEK,
        off: &["2026-04-25"],
    },
];

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn time(text: &str) -> NaiveTime {
    NaiveTime::parse_from_str(text, "%H:%M").unwrap()
}

/// The fields of a line of values in SQL, without their quotes; null is nothing.
fn fields(line: &str) -> Vec<Option<String>> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    for character in line.trim().trim_start_matches('(').chars() {
        match character {
            '\'' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            ')' if !quoted => break,
            other => field.push(other),
        }
    }
    fields.push(field);
    fields.iter().map(|field| field.trim()).map(|f| (f != "null").then(|| f.to_owned())).collect()
}

/// The rows that a statement of the migration inserts into a table.
fn seeded(table: &str) -> Vec<Vec<Option<String>>> {
    let start = SEEDS.find(&format!("insert into {table} ")).unwrap();
    let statement = &SEEDS[start..start + SEEDS[start..].find(';').unwrap()];
    statement.lines().skip(1).map(fields).collect()
}

fn rules() -> Vec<Rule> {
    let rule = |row: Vec<Option<String>>| {
        let text = |column: usize| row[column].clone();
        let days = text(2).unwrap();
        let days = days.trim_matches(['{', '}']).split(',').map(|day| day.parse().unwrap());
        Rule {
            id: text(0).unwrap(),
            jurisdiction: text(1).unwrap(),
            days: Weekdays::from_iso(days),
            open: text(3).zip(text(4)).map(|(opens, closes)| (time(&opens), time(&closes))),
            cap_per_day: text(5).map(|cap| cap.parse().unwrap()),
            cap_total: None,
            from: text(6).map(|date| date.parse().unwrap()),
            until: None,
        }
    };
    seeded("calling_rules").into_iter().map(rule).collect()
}

fn retries() -> Vec<RetryRule> {
    let rule = |row: Vec<Option<String>>| {
        let pause = row[2].clone().unwrap();
        let (number, unit) = pause.split_once(' ').unwrap();
        let number = number.parse().unwrap();
        let pause =
            if unit == "minutes" { TimeDelta::minutes(number) } else { TimeDelta::hours(number) };
        RetryRule {
            reason: row[0].clone().unwrap(),
            attempt: row[1].clone().unwrap().parse().unwrap(),
            pause,
        }
    };
    seeded("retry_rules").into_iter().map(rule).collect()
}

/// The law as it is written, read minute by minute.
struct Law<'a> {
    rules: &'a [Rule],
    user: &'a User,
}

impl Law<'_> {
    fn concerns(&self, rule: &Rule, person: &Person) -> bool {
        let places = jurisdictions::of(&person.phone).iter().copied().chain(person.state);
        let country = |place: &str| place.split('-').next().map(str::to_owned);
        rule.jurisdiction == "*"
            || places.into_iter().any(|place| {
                rule.jurisdiction == place || country(place).as_deref() == Some(&rule.jurisdiction)
            })
    }

    fn forbids(&self, person: &Person, instant: DateTime<Utc>) -> bool {
        let out = |zone: &Tz| {
            let local = instant.with_timezone(zone);
            let (date, clock) = (local.date_naive(), local.time());
            let day = local.weekday();
            let in_force = |rule: &&Rule| {
                self.concerns(rule, person)
                    && rule.from.is_none_or(|from| date >= from)
                    && rule.days.contains(day)
            };
            self.rules.iter().filter(in_force).any(|rule| {
                rule.open.is_none_or(|(opens, closes)| clock < opens || clock >= closes)
            })
        };
        person.zones.iter().any(out) || !self.is_within_window(instant)
    }

    fn is_within_window(&self, instant: DateTime<Utc>) -> bool {
        let zone: Tz = self.user.zone.parse().unwrap();
        let local = instant.with_timezone(&zone);
        let (opens, closes) = (time(self.user.opens), time(self.user.closes));
        let works = |date: NaiveDate| {
            let day = i32::try_from(date.weekday().number_from_monday()).unwrap();
            let off = self.user.off.iter().any(|off| date == off.parse().unwrap());
            self.user.days.contains(&day) && !off
        };
        let (today, clock) = (local.date_naive(), local.time());
        if opens < closes {
            return works(today) && clock >= opens && clock < closes;
        }
        works(today) && clock >= opens || works(today.pred_opt().unwrap()) && clock < closes
    }

    fn cap(&self, person: &Person) -> Option<usize> {
        let rules = self.rules.iter().filter(|rule| self.concerns(rule, person));
        rules.filter_map(|rule| rule.cap_per_day).min().map(|cap| usize::try_from(cap).unwrap())
    }

    fn is_capped(&self, person: &Person, instant: DateTime<Utc>) -> bool {
        let of_day = person.dials.iter().filter(|dial| **dial > instant - TimeDelta::hours(24));
        self.cap(person).is_some_and(|cap| of_day.count() >= cap)
    }

    /// The first instant from `from` on at which the person may be called.
    fn first_allowed(&self, person: &Person, from: DateTime<Utc>) -> DateTime<Utc> {
        let minute = TimeDelta::minutes(1);
        let whole = DateTime::from_timestamp(from.timestamp() / 60 * 60, 0).unwrap();
        let mut instant = from;
        for step in 1.. {
            let allowed =
                [instant, instant + DIAL_MARGIN].iter().all(|i| !self.forbids(person, *i));
            if allowed && !self.is_capped(person, instant) {
                return instant;
            }
            instant = whole + minute * step;
        }
        unreachable!("somebody who may be called has such an instant")
    }
}

#[derive(Clone)]
struct Person {
    id: String,
    phone: String,
    state: Option<&'static str>,
    zones: Vec<Tz>,
    status: ProspectStatus,
    callback: Option<Callback>,
    next_call_at: Option<DateTime<Utc>>,
    last_contacted: Option<DateTime<Utc>>,
    dials: Vec<DateTime<Utc>>,
    unanswered: i32,
    /// Not considered before: a plan run has said when the prospect may be called.
    skip_until: DateTime<Utc>,
}

#[derive(Clone, Copy)]
struct Callback {
    due: DateTime<Utc>,
    /// The first plan run that could know of it.
    known_from: DateTime<Utc>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    calls: usize,
    callbacks: usize,
    outside_hours: usize,
    above_cap: usize,
    above_day: usize,
    missed: usize,
}

/// A year of one user.
struct Year<'a> {
    law: Law<'a>,
    window: DailyWindow,
    retries: Vec<RetryRule>,
    people: Vec<Person>,
    rng: Rng,
    count: Count,
    today: (DateTime<Utc>, i32),
}

impl Year<'_> {
    fn simulate(&mut self, from: DateTime<Utc>, until: DateTime<Utc>) {
        let mut run = from;
        while run < until {
            self.run(run);
            run += RUN;
        }
        let overdue =
            |person: &&Person| person.callback.is_some_and(|p| p.due < until - OUTSTANDING);
        self.count.missed += self.people.iter().filter(overdue).count();
    }

    fn run(&mut self, from: DateTime<Utc>) {
        let until = from + RUN;
        let awake =
            |person: &Person, rng: &mut Rng| person.skip_until < until || rng.u32(..50) == 0;
        let due: Vec<usize> = (0..self.people.len())
            .filter(|n| {
                let person = &self.people[*n];
                let next =
                    person.callback.map_or(person.next_call_at, |callback| Some(callback.due));
                next.is_none_or(|next| next < until) && awake(person, &mut self.rng)
            })
            .collect();
        if due.is_empty() {
            return;
        }
        let day = self.window.day_start(from);
        if day != self.today.0 {
            self.today = (day, 0);
        }
        let context = PlanContext {
            interval: PlanInterval { from, until },
            window: &self.window,
            budget: Budget { calls: PER_DAY - self.today.1, minutes: 100_000 },
            rules: self.law.rules,
            strict: false,
            trial: false,
            pacing: Pacing::new(100, 1_000, []),
            share: None,
        };
        let candidates = due.iter().map(|n| self.people[*n].candidate()).collect();
        for decision in slots::plan(context, candidates) {
            let n: usize = decision.prospect.as_str().parse().unwrap();
            match decision.slot {
                Ok(slot) => self.call(n, slot.at, until),
                Err(block) => {
                    if block.reason == BlockReason::OutsideHours {
                        self.people[n].skip_until =
                            block.until.unwrap_or(from + TimeDelta::days(30));
                    }
                }
            }
        }
    }

    /// Asks for admission at the slot, or some minutes late, and dials once admitted.
    fn call(&mut self, n: usize, slot: DateTime<Utc>, next_run: DateTime<Utc>) {
        let late = match (self.people[n].callback, self.rng.u32(..4)) {
            (None, 0) => TimeDelta::seconds(self.rng.i64(0..900)),
            _ => TimeDelta::zero(),
        };
        let mut now = slot + late;
        let (dial_deadline, person) = loop {
            let person = &self.people[n];
            let usage = PhoneUsage {
                recent: person.dials.iter().rev().take(10).rev().copied().collect(),
                total: i32::try_from(person.dials.len()).unwrap(),
            };
            let context = AdmissionContext {
                now,
                slot,
                paused: false,
                window: &self.window,
                rules: self.law.rules,
                strict: false,
                callee: Callee {
                    status: person.status,
                    phone: &person.phone,
                    zone: None,
                    state: person.state,
                    suppressed: false,
                    phone_closed_by: None,
                },
                attempts_left: 1,
                phone_usage: &usage,
                phone_busy: false,
                phone_cool_down_until: None,
                provider_block: None,
                calls_left_today: PER_DAY - self.today.1,
                minutes_left: 1_000,
                max_call_minutes: 10,
                lines_free: 1,
                waiting_before: 0,
                next_call_at: person.next_call_at,
            };
            match admission::decide(&context) {
                Decision::Admit { dial_deadline, .. } => break (dial_deadline, person),
                Decision::Defer { until, .. } => now = until,
                Decision::Deny(_) => return,
            }
        };
        // The request may leave at any instant up to then.
        let leaves =
            now + TimeDelta::seconds(self.rng.i64(0..=(dial_deadline - now).num_seconds().max(0)));
        let last = (dial_deadline - TimeDelta::seconds(1)).max(now);
        self.count.calls += 1;
        // The phone rings as much later.
        for instant in [now, leaves.min(last), last, last + DIAL_MARGIN] {
            self.count.outside_hours += usize::from(self.law.forbids(person, instant));
        }
        self.count.above_cap += usize::from(self.law.is_capped(person, now));
        if let Some(callback) = person.callback {
            self.count.callbacks += 1;
            let expected = self.law.first_allowed(person, callback.due.max(callback.known_from));
            // Only plan runs check the caps; a prospect skipped for one is planned by a later run.
            let latest = match self.law.cap(person) {
                Some(_) => self.law.first_allowed(person, expected + RUN),
                None => expected,
            };
            self.count.missed += usize::from(now < expected || now > latest);
        }
        self.today.1 += 1;
        self.count.above_day += usize::from(self.today.1 > PER_DAY);
        self.answer(n, now, next_run);
    }

    fn answer(&mut self, n: usize, now: DateTime<Utc>, next_run: DateTime<Utc>) {
        let what = self.rng.u32(..10);
        let minutes = if self.rng.u32(..5) == 0 { 30 } else { 14 * 24 * 60 };
        let due = now + TimeDelta::seconds(60 * self.rng.i64(5..=minutes) + self.rng.i64(0..60));
        let person = &mut self.people[n];
        person.dials.push(now);
        person.last_contacted = Some(now);
        (person.callback, person.next_call_at) = (None, None);
        person.skip_until = now;
        let reason = match what {
            0..=3 => Reason::NoAnswer,
            4 | 5 => Reason::Busy,
            6 => Reason::Voicemail,
            7 => Reason::CarrierFailed,
            _ => {
                person.status = ProspectStatus::Rescheduled;
                person.callback = Some(Callback { due, known_from: next_run });
                return;
            }
        };
        person.status = ProspectStatus::NotResponded;
        person.unanswered += i32::from(reason == Reason::NoAnswer);
        let nth = if reason == Reason::NoAnswer { person.unanswered } else { 1 };
        person.next_call_at = Some(now + cool_down(&self.retries, Some(reason), nth));
    }
}

impl Person {
    fn candidate(&self) -> Candidate {
        Candidate {
            priority: PriorityInput {
                prospect: ProspectId::new(self.id.as_str()),
                callback: self.callback.is_some(),
                waiting_since: self.last_contacted.unwrap_or(DateTime::UNIX_EPOCH),
                times_rescheduled: 0,
            },
            phone: self.phone.clone(),
            zone: None,
            state: self.state.map(str::to_owned),
            callback_due: self.callback.map(|callback| callback.due),
            next_call_at: self.next_call_at,
            attempts_left: 1,
            suppressed: false,
            has_open_conversation: false,
            phone_closed_by: None,
            phone_busy: false,
            script_error: None,
            phone_cool_down_until: None,
            phone_usage: PhoneUsage {
                recent: self.dials.iter().rev().take(10).rev().copied().collect(),
                total: i32::try_from(self.dials.len()).unwrap(),
            },
        }
    }
}

/// Every tenth prospect, from the n-th on.
fn people(n: usize, window: &DailyWindow) -> Vec<Person> {
    let area_codes = PLACES.lines().filter_map(|line| line.split_once('\t')).map(|(code, _)| code);
    let area_codes = area_codes.filter(|code| code.len() == 4 && code.starts_with('1'));
    let phones = area_codes.map(|code| format!("+{code}5550100")).chain(ABROAD.map(str::to_owned));
    let own = phones.enumerate().filter(|(number, _)| number % USERS.len() == n);
    own.enumerate()
        .map(|(id, (number, phone))| Person {
            id: id.to_string(),
            state: [None, None, Some("US-TX"), Some("US-FL"), None][number / USERS.len() % 5],
            zones: zones_of_callee(None, None, &phone, window, false).unwrap(),
            phone,
            status: ProspectStatus::Initial,
            callback: None,
            next_call_at: None,
            last_contacted: None,
            dials: Vec::new(),
            unanswered: 0,
            skip_until: DateTime::UNIX_EPOCH,
        })
        .map(|mut person| {
            person.zones.extend(zones_of_state(person.state));
            person
        })
        .collect()
}

/// The zones of the two states that occur, by the map.
fn zones_of_state(state: Option<&str>) -> &'static [Tz] {
    use chrono_tz::America::{Chicago, Denver, New_York};
    match state {
        Some("US-TX") => &[Chicago, Denver],
        Some("US-FL") => &[New_York, Chicago],
        _ => &[],
    }
}

fn year_of(n: usize, rules: &[Rule]) -> Count {
    let user = &USERS[n];
    let window = DailyWindow::new(user.zone, time(user.opens), time(user.closes)).unwrap();
    let window = window.on(Weekdays::from_iso(user.days.iter().copied())).unwrap();
    let window = window.without(user.off.iter().map(|date| date.parse().unwrap()));
    let mut year = Year {
        law: Law { rules, user },
        people: people(n, &window),
        window,
        retries: retries(),
        rng: Rng::with_seed(n as u64),
        count: Count::default(),
        today: (DateTime::UNIX_EPOCH, 0),
    };
    let from = at("2026-01-01T00:00:00Z");
    year.simulate(from, from + TimeDelta::days(366));
    year.count
}

#[test]
fn year_of_calls_keeps_hours_caps_and_callbacks() {
    let rules = rules();
    assert_eq!((rules.len(), retries().len()), (19, 6), "the seeds were read");
    let counts: Vec<Count> = std::thread::scope(|scope| {
        let years: Vec<_> = (0..USERS.len())
            .map(|n| {
                scope.spawn({
                    let rules = &rules;
                    move || year_of(n, rules)
                })
            })
            .collect();
        years.into_iter().map(|year| year.join().unwrap()).collect()
    });
    let sum = |of: fn(&Count) -> usize| counts.iter().map(of).sum::<usize>();
    let line = format!(
        "a year: {} calls, {} callbacks; outside hours {}, above a cap {}, above the daily limit {}, callbacks \
        missed {}",
        sum(|c| c.calls),
        sum(|c| c.callbacks),
        sum(|c| c.outside_hours),
        sum(|c| c.above_cap),
        sum(|c| c.above_day),
        sum(|c| c.missed),
    );
    assert!(sum(|c| c.calls) > 20_000 && sum(|c| c.callbacks) > 2_000, "{line}");
    for broken in
        [sum(|c| c.outside_hours), sum(|c| c.above_cap), sum(|c| c.above_day), sum(|c| c.missed)]
    {
        assert_eq!(broken, 0, "{line}");
    }
}
