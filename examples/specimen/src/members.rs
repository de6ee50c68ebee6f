//! The members of the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use thiserror::Error;

/// The members of the cluster, the same on every node. A member's Raft id is its position, from 1, in the sorted list of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members(BTreeMap<String, String>);

/// The reason why a list of members is rejected.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum MembersError {
    /// An item is not of the form `name=host:port`.
    #[error("peer `{0}` is not of the form name=host:port, such as n1=10.0.0.1:7000")]
    Malformed(String),
    /// A name occurs twice.
    #[error("peer `{0}` occurs twice; names must be unique")]
    Twice(String),
}

impl FromStr for Members {
    type Err = MembersError;

    fn from_str(text: &str) -> Result<Members, MembersError> {
        let mut members = BTreeMap::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let malformed = || MembersError::Malformed(item.to_owned());
            let (name, address) = item.split_once('=').ok_or_else(malformed)?;
            let (host, port) = address.rsplit_once(':').ok_or_else(malformed)?;
            if name.is_empty() || host.is_empty() || port.parse::<u16>().is_err() {
                return Err(malformed());
            }
            if members.insert(name.to_owned(), address.to_owned()).is_some() {
                return Err(MembersError::Twice(name.to_owned()));
            }
        }
        if members.is_empty() { Err(MembersError::Malformed(text.to_owned())) } else { Ok(Members(members)) }
    }
}

impl Members {
    /// The id of the member with this name.
    pub(crate) fn id(&self, name: &str) -> Option<u64> {
        self.0.keys().position(|member| member == name).map(|place| place as u64 + 1)
    }

    fn member(&self, id: u64) -> Option<(&String, &String)> {
        self.0.iter().nth(usize::try_from(id.checked_sub(1)?).ok()?)
    }

    pub(crate) fn name(&self, id: u64) -> Option<&str> {
        self.member(id).map(|(name, _)| name.as_str())
    }

    /// The member's address, as `host:port`.
    pub(crate) fn address(&self, id: u64) -> Option<&str> {
        self.member(id).map(|(_, address)| address.as_str())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn ids(&self) -> BTreeSet<u64> {
        (1..=self.0.len() as u64).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_do_not_depend_on_the_order_given() {
        let members: Members = "n2=b:2, n1=a:1,n3=[::1]:3".parse().unwrap();
        assert_eq!(members.id("n1"), Some(1));
        assert_eq!(members.name(2), Some("n2"));
        assert_eq!(members.address(3), Some("[::1]:3"));
        assert_eq!((members.name(0), members.name(4), members.id("n4")), (None, None, None));
        assert_eq!(members.ids(), BTreeSet::from([1, 2, 3]));
    }

    #[test]
    fn malformed_lists_of_members_are_rejected() {
        for text in ["", "n1", "n1=", "n1=a", "n1=a:x", "=a:1", "n1=:1"] {
            assert!(matches!(text.parse::<Members>(), Err(MembersError::Malformed(_))), "{text}");
        }
        assert_eq!("n1=a:1,n1=b:1".parse::<Members>(), Err(MembersError::Twice("n1".into())));
    }
}
