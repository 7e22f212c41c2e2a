//! The stores of the clouds, by the schemes of their addresses; what they need is in the environment.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};

use super::failure::Failure;
use crate::address::Address;

/// Whoever mistypes an endpoint should not wait for minutes.
const MOST_RETRIES: usize = 6;
const RETRY_SECONDS: u64 = 60;

/// Returns the store of an address; none where its scheme is not known.
pub(super) fn connect(address: &Address<'_>) -> Option<Result<Arc<dyn ObjectStore>, Failure>> {
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: MOST_RETRIES,
        retry_timeout: Duration::from_secs(RETRY_SECONDS),
    };
    let root = address.root;
    let store = match address.scheme {
        "s3" | "s3a" => shared(AmazonS3Builder::from_env().with_url(root).with_retry(retry).build()),
        "gs" => shared(GoogleCloudStorageBuilder::from_env().with_url(root).with_retry(retry).build()),
        "az" | "abfs" | "abfss" => {
            shared(MicrosoftAzureBuilder::from_env().with_url(root).with_retry(retry).build())
        }
        _ => return None,
    };
    Some(store)
}

fn shared<S: ObjectStore>(store: object_store::Result<S>) -> Result<Arc<dyn ObjectStore>, Failure> {
    Ok(Arc::new(store?))
}
