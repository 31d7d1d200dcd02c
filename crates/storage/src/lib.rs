//! What durability is built from.
//!
//! - [`Files`]: the few operations on files that everything durable uses, so that a test can put a
//!   disk under it that crashes ([`testing::CrashFiles`])
//! - [`Storage`]: whole, immutable objects by name; what was put is there after a crash
//! - [`frame`]: the envelope of a file, by which a torn, foreign, swapped or future one is told
//!
//! Nothing here knows what is stored. The rules that everything above relies on:
//!
//! - **A failed fsync is final.** The kernel may have dropped the pages that it could not write and
//!   answer the next fsync with "done". So a handle that met one answers the same error for ever;
//!   what is really on the disk is found out by opening it again.
//! - **A name is durable when its folder was synced**, not when its file was.

mod error;
mod files;
pub mod frame;
mod local;
pub mod log;
mod os;
mod remote;
mod s3;
mod storage;
pub mod testing;

pub use error::{Result, StorageError};
pub use files::{Entry, File, Files, Guard, SafeFile, create_folders};
pub use local::LocalStorage;
pub use os::OsFiles;
pub use remote::RemoteStorage;
pub use s3::is_s3;
pub use storage::{Object, Storage, Upload, check_name};
