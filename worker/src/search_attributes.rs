//! Registers the search attributes of the calls with the server.

use std::collections::HashMap;

use anyhow::{Context as _, Result, bail};
use temporalio_client::Client;
use temporalio_client::tonic::{Code, IntoRequest as _, Status};
use temporalio_common::protos::temporal::api::enums::v1::IndexedValueType;
use temporalio_common::protos::temporal::api::operatorservice::v1::{
    AddSearchAttributesRequest, ListSearchAttributesRequest,
};
use tracing::info;
use workflows::attributes::{DATETIMES, KEYWORDS};

/// How the search attributes of a namespace differ from those of the service.
pub(crate) struct Differences {
    /// Not registered, with their types.
    pub missing: HashMap<String, i32>,
    /// Registered with another type, one sentence each. The server rejects the calls that set them.
    pub wrong: Vec<String>,
}

/// Compares the search attributes of the namespace with those of the service.
pub(crate) async fn compare(client: &Client, namespace: &str) -> Result<Differences, Status> {
    let mut operator = client.connection().operator_service();
    let request = ListSearchAttributesRequest { namespace: namespace.to_owned() };
    let listed = operator.list_search_attributes(request.into_request()).await?.into_inner();
    let keywords = KEYWORDS.map(|name| (name, IndexedValueType::Keyword));
    let datetimes = DATETIMES.map(|name| (name, IndexedValueType::Datetime));
    let mut differences = Differences { missing: HashMap::new(), wrong: Vec::new() };
    for (name, wanted) in keywords.into_iter().chain(datetimes) {
        match listed.custom_attributes.get(name).copied() {
            None => {
                differences.missing.insert(name.to_owned(), wanted as i32);
            }
            Some(found) if found != wanted as i32 => {
                let found = IndexedValueType::try_from(found).unwrap_or_default();
                differences.wrong.push(format!(
                    "the search attribute {name} has the type {found:?} instead of {wanted:?}; remove \
                    it with `temporal operator search-attribute remove --name {name}` and restart the \
                    worker, or use another namespace"
                ));
            }
            Some(_) => {}
        }
    }
    Ok(differences)
}

/// Adds the search attributes that the namespace does not have yet.
///
/// # Errors
///
/// One has another type, or may not be added.
pub(crate) async fn register(client: &Client, namespace: &str) -> Result<()> {
    let found = compare(client, namespace).await.with_context(|| {
        format!(
            "listing the search attributes of the namespace {namespace}; correct TEMPORAL_NAMESPACE, \
            or create it with `temporal operator namespace create --namespace {namespace}`"
        )
    })?;
    let Differences { missing, wrong } = found;
    if let Some(problem) = wrong.into_iter().next() {
        bail!(problem);
    }
    if missing.is_empty() {
        return Ok(());
    }
    let mut operator = client.connection().operator_service();
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
