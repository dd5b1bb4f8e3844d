//! Interrupts a call at every step: before the step has its effect, and between the effect and its response. A step may
//! also be held until the call is recorded without it, and then go on.
//!
//! The steps are the worker's commits in PostgreSQL, its requests to the provider, and the provider's webhooks. Between
//! two steps nothing has an effect outside the process, so a crash at any time is a crash at one of these steps.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use devstack::{Breakpoint, FaultProxy, Side, Step};
use futures::{StreamExt as _, stream};
use serde_json::Value;

use crate::support::{
    FaultProxies, Plan, Prospect, TestSystem, Totals, User, eventually, kill_and_restart,
    read_conversation, read_prospect_status, read_totals, run_plan, start_with_fault_proxies,
    wait_until_all_recorded,
};

/// Systems that run at once. They mostly wait for timeouts, but each starts a worker.
const CASES_AT_ONCE: usize = 8;
/// Longer than the timeout of an activity after a crash, and than the lookups of a call that was not placed.
const RECORD_TIMEOUT: Duration = Duration::from_secs(240);

/// The connection on which a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Database,
    Provider,
    Webhook,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// SIGKILL of the worker or, on [`Link::Webhook`], of the webhook server.
    Kill,
    /// The connection is closed.
    Disconnect,
    /// The connection is silent until the call is recorded without it. Then it goes on.
    Hold,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    link: Link,
    nth: usize,
    side: Side,
    fault: Fault,
}

impl Link {
    fn proxy(self, proxies: &FaultProxies) -> &FaultProxy {
        match self {
            Self::Database => &proxies.database,
            Self::Provider => &proxies.provider,
            Self::Webhook => &proxies.webhook,
        }
    }

    /// Steps that every call has. How many follow depends on how fast the system is: a lookup may come before or after
    /// the end of the call, webhooks may overtake each other or come twice.
    fn fewest_steps(self) -> usize {
        match self {
            Self::Database => 6,
            Self::Provider => 2,
            Self::Webhook => 5,
        }
    }

    fn step(self) -> Step {
        match self {
            Self::Database => Step::Commit,
            Self::Provider | Self::Webhook => Step::Request(""),
        }
    }
}

async fn start_system() -> Result<(TestSystem, FaultProxies)> {
    let (system, proxies) = start_with_fault_proxies(120.0, &[("RING_TIMEOUT", "16")]).await?;
    User::new("user1-id").insert(&system.database).await?;
    Prospect::new("p1-id").phone_ending(212, 0).insert(&system.database).await?;
    Ok((system, proxies))
}

/// Counts the steps of a call without faults.
async fn count_steps() -> Result<[(Link, usize); 3]> {
    let (system, proxies) = start_system().await?;
    let links = [Link::Database, Link::Provider, Link::Webhook];
    for link in links {
        link.proxy(&proxies).count_steps(link.step());
    }
    run_plan(&system, Plan::at(system.now())).await?;
    wait_until_all_recorded(&system, RECORD_TIMEOUT).await;
    check_records(&system).await?;
    Ok(links.map(|link| (link, link.proxy(&proxies).step_count())))
}

/// Runs a call with one fault. Returns whether the call reached the step.
async fn run_case(case: Case) -> Result<bool> {
    let (mut system, proxies) = start_system().await?;
    let proxy = case.link.proxy(&proxies);
    proxy.set_breakpoint(Breakpoint { step: case.link.step(), nth: case.nth, side: case.side });
    let reached = run_until_hit(&system, proxy).await?;
    if reached {
        inject(&mut system, case, proxy).await?;
    }
    eventually(RECORD_TIMEOUT, "the call is planned", async || {
        Ok(read_conversation(&system.database, "p1-id-1").await.ok())
    })
    .await;
    wait_until_all_recorded(&system, RECORD_TIMEOUT).await;
    check_records(&system).await?;
    if reached && let Fault::Hold = case.fault {
        proxy.resume();
        proxy.wait_until_forwarded().await;
        wait_until_idle(&system).await;
        wait_until_all_recorded(&system, RECORD_TIMEOUT).await;
        check_records(&system).await.context("after the held step went on")?;
    }
    Ok(reached)
}

/// Waits until no session of the database is in a transaction and no workflow of a call runs.
async fn wait_until_idle(system: &TestSystem) {
    eventually(RECORD_TIMEOUT, "nothing goes on", async || {
        let active = "select count(*) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()
                and (state <> 'idle' or xact_start is not null) and backend_type = 'client backend'";
        let active: i64 = sqlx::query_scalar(active).fetch_one(&system.database).await?;
        let running = r#"ExecutionStatus="Running" AND WorkflowType IN ("Call", "LateEvent")"#;
        Ok((active == 0 && system.workflows(running).await?.is_empty()).then_some(()))
    })
    .await;
}

/// Plans and makes the call until it hits the breakpoint or is recorded. Returns whether it hits the breakpoint.
async fn run_until_hit(system: &TestSystem, proxy: &FaultProxy) -> Result<bool> {
    tokio::select! {
        () = proxy.wait_until_hit() => return Ok(true),
        planned = run_plan(system, Plan::at(system.now())) => { planned?; }
    }
    tokio::select! {
        () = proxy.wait_until_hit() => Ok(true),
        () = wait_until_all_recorded(system, RECORD_TIMEOUT) => Ok(false),
    }
}

async fn inject(system: &mut TestSystem, case: Case, proxy: &FaultProxy) -> Result<()> {
    match (case.fault, case.link) {
        (Fault::Disconnect, _) => proxy.cut(),
        (Fault::Hold, _) => {}
        (Fault::Kill, Link::Webhook) => {
            let server = system.stack.webhook.as_mut().map(|server| &mut server.process);
            kill_and_restart(server, proxy).await?;
        }
        (Fault::Kill, _) => kill_and_restart(system.stack.worker.as_mut(), proxy).await?,
    }
    Ok(())
}

/// Checks that the records match the phone: either one phone rang and the call is booked and charged, or none rang and
/// the prospect is unchanged. No minutes are reserved and no line is in use.
async fn check_records(system: &TestSystem) -> Result<()> {
    let rang: Vec<Value> =
        system.calls_placed().await?.into_iter().filter(|call| call["rang"] == true).collect();
    let call = read_conversation(&system.database, "p1-id-1").await?;
    let prospect = read_prospect_status(&system.database, "p1-id").await?;
    let (appointments, reserved): (i64, i64) = sqlx::query_as(
        "select
            (select count(*) from appointments),
            (select coalesce(sum(minutes), 0)::bigint from minute_ledger
                where kind in ('reserve', 'release'))",
    )
    .fetch_one(&system.database)
    .await?;
    let totals = read_totals(system).await?;
    let summary = call.summary();
    let (expected_summary, expected_status, expected_appointments, minutes) = match rang.len() {
        0 => (("CANCELLED", None, Some("never_placed")), "INITIAL", 0, 0),
        1 => (("COMPLETED", Some("APPOINTMENT_SET"), None), "BOOKED", 1, 4),
        count => anyhow::bail!("{count} phones rang: {rang:?}"),
    };
    ensure!(summary == expected_summary, "{summary:?}, and {} phones rang", rang.len());
    ensure!(prospect == expected_status, "the prospect is {prospect}");
    ensure!((appointments, reserved) == (expected_appointments, 0), "{appointments} {reserved}");
    ensure!(totals == Totals::closed(minutes), "{totals:?}");
    Ok(())
}

#[tokio::test]
async fn call_interrupted_at_any_step_rings_and_is_recorded_at_most_once() -> Result<()> {
    let steps = count_steps().await?;
    println!("steps of a call: {steps:?}");
    let mut cases = Vec::new();
    for (link, count) in steps {
        assert!(count >= link.fewest_steps(), "{link:?} has {count} steps");
        for nth in 1..=count {
            for side in [Side::Before, Side::After] {
                cases.push(Case { link, nth, side, fault: Fault::Kill });
                // The provider repeats a webhook whose delivery failed; other tests check that.
                if link == Link::Webhook {
                    continue;
                }
                cases.push(Case { link, nth, side, fault: Fault::Disconnect });
                // A dial request must not be held: nothing stops one that arrives minutes after the worker has closed
                // its connection, except that NEVER_PLACED_AFTER_SECS is longer than a network holds data.
                if link == Link::Database {
                    cases.push(Case { link, nth, side, fault: Fault::Hold });
                }
            }
        }
    }
    let (total, began) = (cases.len(), Instant::now());
    let mut missed = Vec::new();
    let mut results = stream::iter(cases)
        .map(async |case| {
            let reached = run_case(case).await.with_context(|| format!("{case:?}"));
            reached.map(|reached| (case, reached))
        })
        .buffer_unordered(CASES_AT_ONCE);
    while let Some(result) = results.next().await {
        let (case, reached) = result?;
        println!("{:>4} s  {case:?}", began.elapsed().as_secs());
        if !reached {
            missed.push(case);
        }
    }
    println!("{total} cases, {} not reached: {missed:?}", missed.len());
    assert!(!missed.iter().any(|case| case.nth <= case.link.fewest_steps()), "{missed:?}");
    Ok(())
}
