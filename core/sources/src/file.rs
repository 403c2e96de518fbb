//! A file, watched by asking for its state: works on ConfigMap symlinks, NFS and without inotify (design §11).

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What a look at the file gave.
#[derive(Debug)]
pub enum Read {
    /// The same file as at the last look.
    Unchanged,
    /// Its text, because it is new or looks new.
    Text(String),
    /// It was there before, or never was: nothing to read.
    Missing,
    /// It is there but cannot be read; said again only when the reason changes.
    Unreadable(String),
}

/// The file that is read where a directory is named.
pub const IN_DIRECTORY: &str = "lanes.yaml";

/// One watched file, or a directory that holds it: a mounted ConfigMap.
#[derive(Debug)]
pub struct FileSource {
    path: PathBuf,
    limit: u64,
    last: Option<Look>,
}

#[derive(Debug, PartialEq, Eq)]
enum Look {
    /// Modification time, length and inode: a swap of symlinks changes at least the inode.
    File(Option<SystemTime>, u64, u64),
    Missing,
    Unreadable(String),
}

impl FileSource {
    /// Watches `path`; more than `limit` bytes are refused unread.
    pub fn new(path: PathBuf, limit: u64) -> FileSource {
        FileSource { path, limit, last: None }
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks once. Never waits for a pipe or a device: only regular files are opened.
    pub fn look(&mut self) -> Read {
        let (look, text) = match self.read() {
            Ok((look, _)) if Some(&look) == self.last.as_ref() => return Read::Unchanged,
            Ok((look, text)) => (look, text),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => (Look::Missing, None),
            Err(e) => (Look::Unreadable(e.to_string()), None),
        };
        if Some(&look) == self.last.as_ref() {
            return Read::Unchanged;
        }
        let read = match (&look, text) {
            (Look::Unreadable(why), _) => Read::Unreadable(why.clone()),
            (_, Some(text)) => Read::Text(text),
            (_, None) => Read::Missing,
        };
        self.last = Some(look);
        read
    }

    fn read(&self) -> std::io::Result<(Look, Option<String>)> {
        let mut path = std::borrow::Cow::Borrowed(&self.path);
        let mut state = fs::metadata(&*path)?;
        if state.is_dir() {
            path = std::borrow::Cow::Owned(self.path.join(IN_DIRECTORY));
            state = fs::metadata(&*path)?;
        }
        let look = Look::File(state.modified().ok(), state.len(), inode(&state));
        if Some(&look) == self.last.as_ref() {
            return Ok((look, None));
        }
        if !state.is_file() {
            return Err(std::io::Error::other("not a regular file"));
        }
        if state.len() > self.limit {
            return Err(std::io::Error::other(format!("{} bytes, at most {}", state.len(), self.limit)));
        }
        let mut text = String::new();
        fs::File::open(&*path)?.take(self.limit + 1).read_to_string(&mut text)?;
        Ok((look, Some(text)))
    }
}

#[cfg(unix)]
fn inode(state: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(state)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_once_per_change_and_a_swapped_link_is_a_change() {
        let dir = std::env::temp_dir().join(format!("trilane-file-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let link = dir.join("lanes.yaml");
        let mut source = FileSource::new(link.clone(), 100);
        assert!(matches!(source.look(), Read::Missing));
        assert!(matches!(source.look(), Read::Unchanged));
        for text in ["one", "two"] {
            let real = dir.join(text);
            fs::write(&real, text).unwrap();
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(&real, &link).unwrap();
            assert!(matches!(source.look(), Read::Text(t) if t == text));
            assert!(matches!(source.look(), Read::Unchanged));
        }
        fs::write(&link, "x".repeat(101)).unwrap();
        assert!(matches!(source.look(), Read::Unreadable(why) if why.contains("at most 100")));
        fs::remove_dir_all(&dir).unwrap();
    }

    /// As the kubelet does it: `lanes.yaml -> ..data/lanes.yaml`, `..data -> ..<time>`, and `..data` is swapped.
    #[test]
    fn a_directory_is_a_config_map() {
        use std::os::unix::fs::symlink;
        let dir = std::env::temp_dir().join(format!("trilane-map-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let mut source = FileSource::new(dir.clone(), 100);
        assert!(matches!(source.look(), Read::Missing), "an empty directory");
        symlink("..data/lanes.yaml", dir.join("lanes.yaml")).unwrap();
        for text in ["one", "two"] {
            let version = format!("..{text}");
            fs::create_dir(dir.join(&version)).unwrap();
            fs::write(dir.join(&version).join("lanes.yaml"), text).unwrap();
            symlink(&version, dir.join("..data_tmp")).unwrap();
            fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
            assert!(matches!(source.look(), Read::Text(t) if t == text));
            assert!(matches!(source.look(), Read::Unchanged));
        }
        fs::remove_dir_all(&dir).unwrap();
    }
}
