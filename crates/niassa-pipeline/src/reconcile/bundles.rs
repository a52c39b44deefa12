//! Fetched bundles: unpacked once per content, shared by all runs of the work directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use niassa_api::client::{Client, ClientError};
use niassa_bundle::archive::{self, ArchiveError};

/// Why a bundle is not at hand.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BundleError {
    /// The service did not give it.
    #[error("fetch the bundle {sha256}")]
    Fetch {
        /// Its digest.
        sha256: String,
        /// Why.
        #[source]
        source: ClientError,
    },
    /// What came is not what was asked for.
    #[error("the bundle {0} came with other content; fetch it again or ask the administrator")]
    OtherContent(String),
    /// It cannot be unpacked.
    #[error("unpack the bundle {sha256}")]
    Unpack {
        /// Its digest.
        sha256: String,
        /// Why.
        #[source]
        source: ArchiveError,
    },
    /// The folder of bundles cannot be written.
    #[error("write {}", path.display())]
    Write {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Returns the folder with a bundle's content, fetching it when it is not there.
pub(crate) async fn unpacked(
    client: &Client,
    folder: &Path,
    sha256: &str,
) -> Result<PathBuf, BundleError> {
    let place = folder.join(sha256);
    if place.is_dir() {
        return Ok(place);
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| BundleError::Write { path, source }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let unique = format!(".{sha256}.{:016x}", rand::random::<u64>());
    let (zip, unpacking) = (folder.join(format!("{unique}.zip")), folder.join(unique));
    let fetched = client.fetch_bundle(sha256, &zip).await;
    fetched.map_err(|source| BundleError::Fetch { sha256: sha256.to_owned(), source })?;
    let result = unpack(&zip, &unpacking, sha256);
    fs::remove_file(&zip).map_err(failed(&zip))?;
    result?;
    match fs::rename(&unpacking, &place) {
        Ok(()) => Ok(place),
        // Another launcher was faster; its content has the same digest.
        Err(_) if place.is_dir() => {
            fs::remove_dir_all(&unpacking).map_err(failed(&unpacking))?;
            Ok(place)
        }
        Err(source) => Err(BundleError::Write { path: place, source }),
    }
}

fn unpack(zip: &Path, to: &Path, sha256: &str) -> Result<(), BundleError> {
    let failed = |source| BundleError::Unpack { sha256: sha256.to_owned(), source };
    if archive::sha256(zip).map_err(failed)? != sha256 {
        return Err(BundleError::OtherContent(sha256.to_owned()));
    }
    archive::unpack(zip, to).map_err(failed)
}
