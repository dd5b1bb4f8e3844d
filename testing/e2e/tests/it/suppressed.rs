//! A number that comes onto a do-not-call list is not called any more, within seconds and whoever put it there.

use std::time::Duration;

use anyhow::Result;
use devstack::StackOptions;
use serde_json::Value;

use crate::support::{
    Plan, Prospect, Story, User, books, conversation, eventually, in_state, plan, prospect_status,
    seconds_to, settled,
};

const SECONDS: Duration = Duration::from_secs(15);

async fn calls_to(prospects: &[(&str, &str, u32)]) -> Result<Story> {
    let options = StackOptions {
        clock_offset_secs: seconds_to("2025-02-25T15:00:00Z"),
        ..StackOptions::default()
    };
    let story = Story::start(options).await?;
    for user in ["user1-id", "user2-id"] {
        User::new(user).insert(&story.database).await?;
    }
    for (id, user, ending) in prospects {
        Prospect::new(*id)
            .of_user(*user)
            .phone_ending(212, *ending)
            .insert(&story.database)
            .await?;
    }
    plan(&story, Plan::at(story.now())).await?;
    Ok(story)
}

async fn suppress(story: &Story, user: Option<&str>, ending: u32) -> Result<()> {
    let listed = "insert into suppressions (user_id, phone, reason) values ($1, $2, 'imported')";
    let listed = sqlx::query(listed).bind(user).bind(format!("+121255501{ending:02}"));
    listed.execute(&story.database).await?;
    Ok(())
}

async fn is_suppressed(story: &Story, id: &str) {
    eventually(SECONDS, &format!("{id} is broken off"), async || {
        let found = conversation(&story.database, id).await?;
        Ok((found.summary() == ("CANCELLED", None, Some("suppressed"))).then_some(()))
    })
    .await;
}

#[tokio::test]
async fn an_insert_breaks_off_waiting_and_talking_calls_of_whom_it_concerns() -> Result<()> {
    let prospects = [
        ("a", "user1-id", 93),
        ("b", "user1-id", 20),
        ("c", "user1-id", 21),
        ("d", "user2-id", 92),
    ];
    let story = calls_to(&prospects).await?;
    in_state(&story, "call/a-1", "talking").await;
    in_state(&story, "call/d-1", "talking").await;
    // For one client, and for a number that another one talks to.
    suppress(&story, Some("user1-id"), 93).await?;
    suppress(&story, Some("user1-id"), 92).await?;
    // For all.
    suppress(&story, None, 21).await?;
    is_suppressed(&story, "a-1").await;
    is_suppressed(&story, "c-1").await;
    for untouched in ["call/b-1", "call/d-1"] {
        let state = if untouched == "call/d-1" { "talking" } else { "waiting" };
        in_state(&story, untouched, state).await;
    }
    let calls = story.calls_placed().await?;
    let of_a = calls.iter().find(|call| call["metadata"]["conversation_id"] == "a-1");
    assert_eq!(of_a.map(|call| &call["endedBy"]), Some(&Value::from("client")), "{calls:?}");
    Ok(())
}

/// The agent's report is heard while it still says goodbye: nobody else with the number is called.
#[tokio::test]
async fn who_asks_not_to_be_called_is_heard_before_the_call_is_over() -> Result<()> {
    // Ending 30 asks not to be called; the second prospect has the same number.
    let story = calls_to(&[("a", "user1-id", 30)]).await?;
    Prospect::new("b").phone_ending(212, 30).insert(&story.database).await?;
    in_state(&story, "call/a-1", "talking").await;
    eventually(Duration::from_secs(60), "the number is on the list", async || {
        let listed = "select conversation_id from suppressions";
        Ok(sqlx::query_scalar::<_, String>(listed).fetch_optional(&story.database).await?)
    })
    .await;
    // The call itself goes on to its goodbye, and keeps its outcome.
    assert_eq!(settled(&story, "a-1").await, ("COMPLETED".to_owned(), None));
    assert_eq!(prospect_status(&story.database, "a").await?, "DO_NOT_CALL");
    assert_eq!(books(&story).await?, (1, 0, true));
    Ok(())
}
