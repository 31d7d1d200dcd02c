//! A project as running jobs: catalog, step loop, views for readers.
