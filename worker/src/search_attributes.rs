//! Registers the search attributes of the calls with the server.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use temporalio_client::Client;
use temporalio_client::tonic::{Code, IntoRequest as _};
use temporalio_common::protos::temporal::api::enums::v1::IndexedValueType;
use temporalio_common::protos::temporal::api::operatorservice::v1::{
    AddSearchAttributesRequest, ListSearchAttributesRequest,
};
use tracing::info;
use workflows::attributes::{DATETIMES, KEYWORDS};

/// Adds the search attributes that the namespace does not have yet.
pub(crate) async fn register(client: &Client, namespace: &str) -> Result<()> {
    let mut operator = client.connection().operator_service();
    let request = ListSearchAttributesRequest { namespace: namespace.to_owned() };
    let known = operator
        .list_search_attributes(request.into_request())
        .await
        .context("listing the search attributes")?
        .into_inner()
        .custom_attributes;
    let keywords = KEYWORDS.map(|name| (name, IndexedValueType::Keyword));
    let datetimes = DATETIMES.map(|name| (name, IndexedValueType::Datetime));
    let missing: HashMap<String, i32> = keywords
        .into_iter()
        .chain(datetimes)
        .filter(|(name, _)| !known.contains_key(*name))
        .map(|(name, kind)| (name.to_owned(), kind as i32))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.keys().cloned().collect::<Vec<_>>().join(", ");
    let request =
        AddSearchAttributesRequest { search_attributes: missing, namespace: namespace.to_owned() };
    match operator.add_search_attributes(request.into_request()).await {
        Ok(_) => info!(names, "Added search attributes"),
        // Another worker has added them.
        Err(status) if status.code() == Code::AlreadyExists => {}
        Err(status) => {
            return Err(status).with_context(|| {
                format!(
                    "adding the search attributes {names}; if the worker has no permission, as on \
                    Temporal Cloud, an administrator must add them"
                )
            });
        }
    }
    Ok(())
}
