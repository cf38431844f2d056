//! Audio and other large things, as objects: a local folder now, S3 by the same interface later.
//!
//! Every object is written beside its place, fsynced and then moved there, so that it is there whole or not at all.

use std::error::Error;
use std::io;
use std::ops::Range;
use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use engine::ids::SessionId;
use futures_util::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use crate::error::StoreError;

/// `EDQUOT` on Linux: the quota of a user or project is used up. To the one who writes that is a full disk.
const QUOTA_EXCEEDED: i32 = 122;

/// The objects of one store.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    objects: Arc<dyn ObjectStore>,
    place: String,
}

impl Objects {
    /// Objects in a folder, which is made if it does not exist and tried for writing.
    pub(crate) fn open(folder: &FilePath) -> Result<Objects, StoreError> {
        let not_writable = |error: &io::Error| crate::sql::not_writable(folder, error);
        std::fs::create_dir_all(folder).map_err(|error| not_writable(&error))?;
        let probe = folder.join(".colloquy-write-test");
        std::fs::write(&probe, b"")
            .and_then(|()| std::fs::remove_file(&probe))
            .map_err(|error| not_writable(&error))?;
        let objects = LocalFileSystem::new_with_prefix(folder)
            .map_err(|error| StoreError::NotWritable {
                path: folder.to_owned(),
                detail: error.to_string(),
            })?
            // Off by default there: without it an acknowledged chunk could be lost with the power.
            .with_fsync(true);
        Ok(Objects {
            objects: Arc::new(objects),
            place: folder.display().to_string(),
        })
    }

    /// Keeps an object under a name that is not taken. The same bytes again are a success, other bytes a conflict.
    pub(crate) async fn create(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        let path = parse(name)?;
        let options = PutOptions::from(PutMode::Create);
        match self
            .objects
            .put_opts(&path, bytes.clone().into(), options)
            .await
        {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => {
                let (kept, _) = self.get(name, None).await?;
                if kept == bytes {
                    return Ok(());
                }
                Err(StoreError::Conflict {
                    what: format!("{name} is kept already, with other bytes"),
                })
            }
            Err(error) => Err(self.failed(name, &error)),
        }
    }

    /// Keeps an object, replacing an older one of that name.
    pub(crate) async fn put(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        let put = self.objects.put(&parse(name)?, bytes.into()).await;
        put.map(|_| ()).map_err(|error| self.failed(name, &error))
    }

    /// An object or a part of it, and its whole length. A part beyond the end is cut there and may be empty.
    pub(crate) async fn get(
        &self,
        name: &str,
        range: Option<Range<u64>>,
    ) -> Result<(Bytes, u64), StoreError> {
        let path = parse(name)?;
        let failed = |error: object_store::Error| self.failed(name, &error);
        let Some(range) = range else {
            let got = self.objects.get(&path).await.map_err(failed)?;
            let length = got.meta.size;
            return Ok((got.bytes().await.map_err(failed)?, length));
        };
        let length = self.objects.head(&path).await.map_err(failed)?.size;
        let end = range.end.min(length);
        if range.start >= end {
            return Ok((Bytes::new(), length));
        }
        let options = GetOptions::new().with_range(Some(GetRange::Bounded(range.start..end)));
        let got = self
            .objects
            .get_opts(&path, options)
            .await
            .map_err(failed)?;
        Ok((got.bytes().await.map_err(failed)?, length))
    }

    /// Numbers of the chunks of a session, ascending.
    pub(crate) async fn chunk_numbers(&self, id: &SessionId) -> Result<Vec<u32>, StoreError> {
        let folder = chunk_folder(id);
        let objects: Vec<_> = self
            .objects
            .list(Some(&parse(&folder)?))
            .try_collect()
            .await
            .map_err(|error| self.failed(&folder, &error))?;
        let number = |path: &Path| path.filename()?.strip_suffix(".ogg")?.parse::<u32>().ok();
        let mut numbers: Vec<u32> = objects
            .iter()
            .filter_map(|object| number(&object.location))
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn failed(&self, name: &str, error: &object_store::Error) -> StoreError {
        if is_full(error) {
            return StoreError::Full {
                what: name.to_owned(),
                place: self.place.clone(),
            };
        }
        if matches!(error, object_store::Error::NotFound { .. }) {
            return StoreError::NotFound {
                what: format!("object {name}"),
            };
        }
        StoreError::unavailable(format!("object {name} under {}: {error}", self.place))
    }
}

fn chunk_folder(id: &SessionId) -> String {
    format!("sessions/{id}/chunks")
}

/// Name of a chunk's object.
pub(crate) fn chunk_name(id: &SessionId, no: u32) -> String {
    format!("{}/{no}.ogg", chunk_folder(id))
}

/// A name is a relative path without `..`, so that none can lead out of the folder.
fn parse(name: &str) -> Result<Path, StoreError> {
    Path::parse(name).map_err(|error| StoreError::Conflict {
        what: format!("{name:?} is no name of an object: {error}"),
    })
}

/// Whether somewhere in the chain of causes a disk or a quota is full.
pub(crate) fn is_full(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            let kind = matches!(
                io.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            );
            if kind || io.raw_os_error() == Some(QUOTA_EXCEEDED) {
                return true;
            }
            // The source of a wrapping io::Error is that of what it wraps: the wrapped one itself would be passed over.
            if io.get_ref().is_some_and(|wrapped| is_full(wrapped)) {
                return true;
            }
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_recognised_through_all_wrappings() {
        for raw in [28, QUOTA_EXCEEDED] {
            let source = Box::new(io::Error::other(io::Error::from_raw_os_error(raw)));
            let wrapped = object_store::Error::Generic {
                store: "LocalFileSystem",
                source,
            };
            assert!(is_full(&wrapped), "{raw}");
        }
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(!is_full(&object_store::Error::Generic {
            store: "LocalFileSystem",
            source: Box::new(denied)
        }));
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for name in ["../secret", "a/../../b", "a//b"] {
            assert!(parse(name).is_err(), "{name}");
        }
        assert!(parse("sessions/A/recording.ogg").is_ok());
    }
}
