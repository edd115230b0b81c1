//! Where the journal's file lies and whose it is. Reads /proc only; elsewhere it knows nothing.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The kind of network file system the directory lies on, if it does.
pub(super) fn network_filesystem(dir: &Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    let mounts = std::fs::read_to_string("/proc/mounts").ok()?;
    kind_of(&mounts, &dir).filter(|kind| is_network(kind))
}

/// The file system of the deepest mount that holds the directory.
fn kind_of(mounts: &str, dir: &Path) -> Option<String> {
    let mut best: Option<(usize, String)> = None;
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let (Some(_), Some(point), Some(kind)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        // The kernel writes a blank as \040.
        let point = point.replace("\\040", " ");
        // A later mount on the same point hides the earlier one.
        if dir.starts_with(&point) && best.as_ref().is_none_or(|(len, _)| point.len() >= *len) {
            best = Some((point.len(), kind.to_owned()));
        }
    }
    best.map(|(_, kind)| kind)
}

/// File systems on which SQLite's shared memory or locks cannot be trusted.
fn is_network(kind: &str) -> bool {
    const KINDS: [&str; 14] = [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "afs",
        "9p",
        "fuse",
        "lustre",
        "glusterfs",
        "ceph",
        "gfs2",
        "ocfs2",
        "beegfs",
    ];
    KINDS.contains(&kind) || kind.starts_with("fuse.")
}

/// The owner of a file that is not ours: who it is and the words for sudo. `None` when it is
/// ours, or not there, or nothing can be known.
pub(super) fn other_owner(path: &Path) -> Option<(u32, String)> {
    let ours = std::fs::metadata("/proc/self").ok()?.uid();
    let owner = std::fs::metadata(path).ok()?.uid();
    (owner != ours).then(|| (owner, sudo_user(owner)))
}

fn sudo_user(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("'#{uid}'"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const MOUNTS: &str = "/dev/vda / ext4 rw 0 0\nserver:/x /srv/my\\040data nfs4 rw 0 0\n\
                          s3 /srv/s3 fuse.s3fs rw 0 0\n/dev/vdb /srv/my\\040data/disk xfs rw 0 0\n";

    #[test]
    fn the_deepest_mount_decides() {
        let kind = |dir: &str| kind_of(MOUNTS, Path::new(dir)).unwrap();
        assert_eq!(kind("/var/lib"), "ext4");
        assert_eq!(kind("/srv/my data/bridge"), "nfs4");
        assert_eq!(kind("/srv/my data/disk"), "xfs");
        assert_eq!(kind("/srv/s3-not"), "ext4");
        assert!(is_network("nfs4") && is_network("fuse.s3fs") && !is_network("xfs"));
        assert!(!is_network("fuseblk"), "a local disk through FUSE");
    }

    #[test]
    fn our_own_file_has_no_other_owner() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(other_owner(file.path()), None);
    }

    #[test]
    fn an_unknown_owner_is_named_by_number() {
        assert_eq!(sudo_user(0), "root");
        assert_eq!(sudo_user(4_000_000_001), "'#4000000001'");
    }
}
