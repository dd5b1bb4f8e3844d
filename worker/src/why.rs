//! Why a prospect is called, or is not: what happened, and what comes next, in sentences.

use activities::{Considered, Planning};
use chrono::{DateTime, TimeDelta, Utc};
use domain::status::ProspectStatus;
use workflows::activities::planning::PlanUserInput;

use store::{Store, StoreError, story};

/// Tells of a prospect, a sentence a line; nothing if there is no such prospect. `span` is the time from one plan run to
/// the next.
pub async fn why(
    store: &Store,
    planning: &Planning,
    prospect: &str,
    now: DateTime<Utc>,
    span: TimeDelta,
) -> Result<Option<Vec<String>>, StoreError> {
    let mut tx = store.begin().await?;
    let Some(person) = story::person(&mut tx, prospect).await? else { return Ok(None) };
    let calls = story::calls(&mut tx, prospect).await?;
    let planned = story::planned(&mut tx, prospect).await?;
    let guarded = story::guarded(&mut tx, prospect).await?;
    drop(tx);

    let mut lines = vec![format!("{prospect}, of {}, is {}.", person.user_id, person.status)];
    match person.last_contacted {
        Some(at) => lines.push(format!("It was last contacted on {}.", shown(at))),
        None => lines.push("It was never contacted.".to_owned()),
    }
    if let Some(at) = person.rescheduled_for {
        lines.push(format!("It was promised a call on {}.", shown(at)));
    }
    let open = calls
        .iter()
        .any(|call| ["SCHEDULED", "DIALING", "IN_PROGRESS"].contains(&call.status.as_str()));
    for call in calls {
        let came = [call.outcome, call.reason].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let came = if came.is_empty() { String::new() } else { format!(": {came}") };
        let notes = call.notes.map(|notes| format!(" ({notes})")).unwrap_or_default();
        lines.push(format!(
            "Call {}, for {}, {}{came}{notes}.",
            call.id,
            shown(call.slot),
            call.status
        ));
    }
    if let Some(said) = planned {
        let (run, at) = (&said.by, shown(said.at));
        let what = match (said.slot, said.detail) {
            (Some(slot), detail) => {
                format!("planned it for {}. {}", shown(slot), detail.unwrap_or_default())
            }
            (None, detail) => format!("passed it over: {}", detail.unwrap_or_default()),
        };
        lines.push(format!("The plan run {run} of {at} {}{}", what.trim_end(), until(said.next)));
    }
    if let Some(said) = guarded {
        let (call, at, what) = (&said.by, shown(said.at), said.detail.unwrap_or_default());
        lines.push(format!("Of {call} the guard said on {at}: {what}{}", until(said.next)));
    }
    lines.push(next(planning, prospect, &person, open, now, span).await?);
    Ok(Some(lines))
}

/// What a plan run would say of the prospect now.
async fn next(
    planning: &Planning,
    prospect: &str,
    person: &story::Person,
    open: bool,
    now: DateTime<Utc>,
    span: TimeDelta,
) -> Result<String, StoreError> {
    let callable = ProspectStatus::parse(&person.status).is_some_and(ProspectStatus::is_callable);
    if !callable && !open {
        return Ok(format!("Next: nothing; one who is {} is not called.", person.status));
    }
    let input = PlanUserInput {
        run: String::new(),
        user_id: person.user_id.clone(),
        from: now,
        until: now + span,
        promised_only: false,
    };
    Ok(match planning.would_plan(&input).await? {
        None => "Next: nothing; its client no longer exists.".to_owned(),
        Some(Considered::PassedOver(why)) => {
            format!("Next: {} {}", why.detail, why.reason.remedy())
        }
        Some(Considered::Decided(decisions, _)) => {
            match decisions.into_iter().find(|decision| decision.prospect.as_str() == prospect) {
                None => "Next: it waits; its client has many prospects, and others come first."
                    .to_owned(),
                Some(decision) => match decision.verdict {
                    Ok(slot) => {
                        let detail = slot.detail.unwrap_or_default();
                        let at = shown(slot.at);
                        format!("Next: a plan run now would call it on {at}. {detail}")
                            .trim_end()
                            .to_owned()
                    }
                    Err(skip) => {
                        let remedy = skip.reason.remedy();
                        format!("Next: {}{} {remedy}", skip.detail, until(skip.next))
                    }
                },
            }
        }
    })
}

fn until(next: Option<DateTime<Utc>>) -> String {
    next.map(|next| format!(" Until {}.", shown(next))).unwrap_or_default()
}

fn shown(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
