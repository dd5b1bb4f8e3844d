//! `GET /api/accounts/me`.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::App;

/// The account, with how much of it is in use.
pub async fn show(State(simulator): App) -> Json<Value> {
    Json(json!({
        "accountId": simulator.account,
        "name": "simulator",
        "billingUrl": "https://billing.simulator.invalid",
        "freeTimeUsed": "0s",
        "freeTimeRemaining": "0s",
        "hasActiveSubscription": true,
        "subscriptionTier": "PAYGO",
        "subscriptionCadence": null,
        "subscriptionExpiration": null,
        "subscriptionScheduledUpdate": null,
        "subscriptionRenewal": null,
        "activeCalls": simulator.calls.active(),
        "allowedConcurrentCalls": simulator.settings.max_concurrent,
        "allowedVoices": null,
        "allowedCorpora": null,
    }))
}
