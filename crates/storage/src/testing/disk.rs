//! The model of a disk: what programs see, what is durable, and what is on its way.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{Fault, Random};
use crate::files::Entry;

/// What a disk writes at once.
const SECTOR: usize = 512;

/// A file that a program has opened. It dies with the machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenFile {
    inode: usize,
    boot: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    File(usize),
    Folder,
}

/// A change of names that its folder has not synced.
#[derive(Debug, Clone)]
enum NameChange {
    Set(PathBuf, Node),
    Remove(PathBuf),
    /// One change of one folder: both names, or none.
    Rename(PathBuf, PathBuf, Node),
}

/// A change of content that was not synced.
#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

#[derive(Debug, Default)]
struct Inode {
    seen: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug)]
pub(super) struct Disk {
    inodes: Vec<Inode>,
    seen: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    pending: Vec<(PathBuf, NameChange)>,
    locks: BTreeSet<PathBuf>,
    boot: u64,
    off: bool,
    calls: u64,
    syncs: u64,
    faults: BTreeMap<u64, Fault>,
}

impl Default for Disk {
    fn default() -> Self {
        let root = BTreeMap::from([(PathBuf::from("/"), Node::Folder)]);
        Self {
            inodes: Vec::new(),
            seen: root.clone(),
            durable: root,
            pending: Vec::new(),
            locks: BTreeSet::new(),
            boot: 0,
            off: false,
            calls: 0,
            syncs: 0,
            faults: BTreeMap::new(),
        }
    }
}

impl Disk {
    pub fn fail(&mut self, n: u64, fault: Fault) {
        self.faults.insert(self.calls + n, fault);
    }

    pub fn calls(&self) -> u64 {
        self.calls
    }

    pub fn syncs(&self) -> u64 {
        self.syncs
    }

    /// Counts a call that changes something and answers the fault that is put on it.
    fn enter(&mut self) -> io::Result<Option<Fault>> {
        self.alive()?;
        let fault = self.faults.remove(&self.calls);
        self.calls += 1;
        if fault == Some(Fault::PowerOff) {
            self.off = true;
        }
        Ok(fault)
    }

    /// As [`enter`](Self::enter), for calls that do nothing when they fail. The call in which the
    /// power fails happens: whether it lasts is for the crash to say.
    fn enter_simple(&mut self) -> io::Result<bool> {
        match self.enter()? {
            None => Ok(false),
            Some(Fault::PowerOff) => Ok(true),
            Some(Fault::Eio) => Err(eio()),
            Some(Fault::Enospc | Fault::ShortWrite) => Err(enospc()),
        }
    }

    fn alive(&self) -> io::Result<()> {
        if self.off { Err(power()) } else { Ok(()) }
    }

    fn end(off: bool) -> io::Result<()> {
        if off { Err(power()) } else { Ok(()) }
    }

    fn folder_of(&self, path: &Path) -> io::Result<PathBuf> {
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        match self.seen.get(&folder) {
            Some(Node::Folder) => Ok(folder),
            Some(Node::File(_)) => Err(kind(io::ErrorKind::NotADirectory)),
            None => Err(kind(io::ErrorKind::NotFound)),
        }
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.seen.get(path) {
            Some(Node::File(inode)) => Ok(*inode),
            Some(Node::Folder) => Err(kind(io::ErrorKind::IsADirectory)),
            None => Err(kind(io::ErrorKind::NotFound)),
        }
    }

    fn handle(&self, file: OpenFile) -> io::Result<usize> {
        if file.boot == self.boot { Ok(file.inode) } else { Err(power()) }
    }

    pub fn create(&mut self, path: &Path) -> io::Result<OpenFile> {
        let off = self.enter_simple()?;
        let folder = self.folder_of(path)?;
        if self.seen.contains_key(path) {
            return Err(kind(io::ErrorKind::AlreadyExists));
        }
        self.inodes.push(Inode::default());
        let inode = self.inodes.len() - 1;
        let node = Node::File(inode);
        self.seen.insert(path.to_owned(), node);
        self.pending.push((folder, NameChange::Set(path.to_owned(), node)));
        Self::end(off)?;
        Ok(OpenFile { inode, boot: self.boot })
    }

    pub fn open(&mut self, path: &Path) -> io::Result<OpenFile> {
        self.alive()?;
        Ok(OpenFile { inode: self.file(path)?, boot: self.boot })
    }

    pub fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let off = self.enter_simple()?;
        let inode = self.file(from)?;
        let (source, target) = (self.folder_of(from)?, self.folder_of(to)?);
        if self.seen.get(to) == Some(&Node::Folder) {
            return Err(kind(io::ErrorKind::IsADirectory));
        }
        let node = Node::File(inode);
        self.seen.remove(from);
        self.seen.insert(to.to_owned(), node);
        if source == target {
            let change = NameChange::Rename(from.to_owned(), to.to_owned(), node);
            self.pending.push((source, change));
        } else {
            self.pending.push((target, NameChange::Set(to.to_owned(), node)));
            self.pending.push((source, NameChange::Remove(from.to_owned())));
        }
        Self::end(off)
    }

    pub fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let off = self.enter_simple()?;
        let node = Node::File(self.file(from)?);
        let folder = self.folder_of(to)?;
        if self.seen.contains_key(to) {
            return Err(kind(io::ErrorKind::AlreadyExists));
        }
        self.seen.insert(to.to_owned(), node);
        self.pending.push((folder, NameChange::Set(to.to_owned(), node)));
        Self::end(off)
    }

    pub fn remove(&mut self, path: &Path) -> io::Result<()> {
        let off = self.enter_simple()?;
        self.file(path)?;
        let folder = self.folder_of(path)?;
        self.seen.remove(path);
        self.pending.push((folder, NameChange::Remove(path.to_owned())));
        Self::end(off)
    }

    pub fn create_folder(&mut self, path: &Path) -> io::Result<()> {
        let off = self.enter_simple()?;
        match self.seen.get(path) {
            Some(Node::Folder) => return Self::end(off),
            Some(Node::File(_)) => return Err(kind(io::ErrorKind::AlreadyExists)),
            None => {}
        }
        let above = self.folder_of(path)?;
        self.seen.insert(path.to_owned(), Node::Folder);
        self.pending.push((above, NameChange::Set(path.to_owned(), Node::Folder)));
        Self::end(off)
    }

    pub fn sync_folder(&mut self, path: &Path) -> io::Result<()> {
        if let Some(fault) = self.enter()? {
            if fault == Fault::PowerOff {
                return Err(power());
            }
            // Names are journaled: a failed sync leaves them on their way.
            return Err(eio());
        }
        if self.seen.get(path) != Some(&Node::Folder) {
            return Err(kind(io::ErrorKind::NotFound));
        }
        let pending = std::mem::take(&mut self.pending);
        for (folder, change) in pending {
            if folder == path {
                apply(&mut self.durable, change);
            } else {
                self.pending.push((folder, change));
            }
        }
        Ok(())
    }

    pub fn read(&self, path: &Path, range: Range<u64>) -> io::Result<Vec<u8>> {
        self.alive()?;
        let bytes = &self.inodes[self.file(path)?].seen;
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes[at(range.start)..at(range.end.max(range.start))].to_vec())
    }

    pub fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        self.alive()?;
        match self.seen.get(folder) {
            Some(Node::Folder) => {}
            Some(Node::File(_)) => return Err(kind(io::ErrorKind::NotADirectory)),
            None => return Err(kind(io::ErrorKind::NotFound)),
        }
        let inside = self.seen.iter().filter(|(path, _)| path.parent() == Some(folder));
        let entry = |(path, node): (&PathBuf, &Node)| Entry {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            is_folder: *node == Node::Folder,
        };
        Ok(inside.map(entry).collect())
    }

    pub fn len(&self, path: &Path) -> io::Result<u64> {
        self.alive()?;
        Ok(self.inodes[self.file(path)?].seen.len() as u64)
    }

    pub fn lock(&mut self, path: &Path) -> io::Result<Option<u64>> {
        self.alive()?;
        self.folder_of(path)?;
        Ok(self.locks.insert(path.to_owned()).then_some(self.boot))
    }

    pub fn unlock(&mut self, path: &Path, boot: u64) {
        if boot == self.boot {
            self.locks.remove(path);
        }
    }

    pub fn write(&mut self, file: OpenFile, bytes: &[u8]) -> io::Result<()> {
        let fault = self.enter()?;
        let inode = self.handle(file)?;
        let inode = &mut self.inodes[inode];
        let (kept, result) = match fault {
            None => (bytes, Ok(())),
            Some(Fault::Eio) => (&bytes[..0], Err(eio())),
            Some(Fault::Enospc) => (&bytes[..0], Err(enospc())),
            Some(Fault::ShortWrite) => (&bytes[..bytes.len() / 2], Err(enospc())),
            Some(Fault::PowerOff) => (bytes, Err(power())),
        };
        if !kept.is_empty() {
            inode.pending.push(Change::Write(inode.seen.len(), kept.to_vec()));
            inode.seen.extend_from_slice(kept);
        }
        result
    }

    pub fn truncate(&mut self, file: OpenFile, len: u64) -> io::Result<()> {
        let off = self.enter_simple()?;
        let inode = self.handle(file)?;
        let inode = &mut self.inodes[inode];
        let len = usize::try_from(len).map_err(|_| kind(io::ErrorKind::InvalidInput))?;
        inode.seen.resize(len, 0);
        inode.pending.push(Change::Truncate(len));
        Self::end(off)
    }

    pub fn sync(&mut self, file: OpenFile) -> io::Result<()> {
        let fault = self.enter()?;
        self.syncs += 1;
        let boot = self.calls;
        let inode = self.handle(file)?;
        let inode = &mut self.inodes[inode];
        match fault {
            None => {
                // Only what is on its way: an earlier fsync may have lost the rest.
                inode.durable = written(inode, || true);
                inode.pending.clear();
                Ok(())
            }
            Some(Fault::PowerOff) => Err(power()),
            Some(_) => {
                // Some of it was written, the rest is marked clean: the next fsync finds nothing
                // to do, and what programs read is not what is on the disk.
                let random = &mut Random::new(boot);
                inode.durable = survivors(inode, random);
                inode.pending.clear();
                Err(eio())
            }
        }
    }

    pub fn crash(&mut self, random: &mut Random) {
        for inode in &mut self.inodes {
            if inode.pending.is_empty() {
                inode.seen.clone_from(&inode.durable);
                continue;
            }
            inode.durable = survivors(inode, random);
            inode.seen.clone_from(&inode.durable);
            inode.pending.clear();
        }
        let share = [0, 50, 90, 100][random.below(4) as usize];
        for (_, change) in std::mem::take(&mut self.pending) {
            if random.percent(share) {
                apply(&mut self.durable, change);
            }
        }
        // What lies in a folder whose name is lost is lost with it.
        let mut kept: BTreeMap<PathBuf, Node> = BTreeMap::new();
        for (path, node) in &self.durable {
            let above = path.parent();
            if above.is_none_or(|a| kept.get(a) == Some(&Node::Folder)) {
                kept.insert(path.clone(), *node);
            }
        }
        self.seen.clone_from(&kept);
        self.durable = kept;
        self.restart();
    }

    pub fn restart(&mut self) {
        self.locks.clear();
        self.faults.clear();
        self.off = false;
        self.boot += 1;
    }
}

fn apply(names: &mut BTreeMap<PathBuf, Node>, change: NameChange) {
    match change {
        NameChange::Set(path, node) => {
            names.insert(path, node);
        }
        NameChange::Remove(path) => {
            names.remove(&path);
        }
        NameChange::Rename(from, to, node) => {
            if names.get(&from) == Some(&node) {
                names.remove(&from);
            }
            names.insert(to, node);
        }
    }
}

/// What is left of a file: the durable bytes, and of those on their way any sectors.
fn survivors(inode: &Inode, random: &mut Random) -> Vec<u8> {
    let share = [0, 50, 90, 100][random.below(4) as usize];
    let mut bytes = written(inode, || random.percent(share));
    // The length may be written before the content.
    if bytes.len() < inode.seen.len() && random.percent(20) {
        bytes.resize(inode.seen.len(), 0);
    }
    bytes
}

/// The durable bytes and those sectors on their way that `keep` picks.
fn written(inode: &Inode, mut keep: impl FnMut() -> bool) -> Vec<u8> {
    let mut bytes = inode.durable.clone();
    for change in &inode.pending {
        let (at, content) = match change {
            Change::Truncate(len) => {
                if keep() {
                    bytes.resize(*len, 0);
                }
                continue;
            }
            Change::Write(at, content) => (*at, content),
        };
        let mut from = 0;
        while from < content.len() {
            let start = at + from;
            let to = (from + SECTOR - start % SECTOR).min(content.len());
            if keep() {
                let end = start + (to - from);
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[start..end].copy_from_slice(&content[from..to]);
            }
            from = to;
        }
    }
    bytes
}

fn kind(kind: io::ErrorKind) -> io::Error {
    io::Error::from(kind)
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(5)
}

fn enospc() -> io::Error {
    kind(io::ErrorKind::StorageFull)
}

fn power() -> io::Error {
    io::Error::other("the power has failed")
}
