//! Addresses of objects in stores, such as `s3://shop/2019/oct.csv`.

use std::path::Path;

/// An address, taken apart: `s3://shop` is its root, `2019/oct.csv` its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address<'a> {
    pub(crate) text: &'a str,
    pub(crate) scheme: &'a str,
    pub(crate) root: &'a str,
    pub(crate) key: &'a str,
}

impl<'a> Address<'a> {
    /// Returns none for what is a path: what has no scheme.
    pub(crate) fn of(source: &'a Path) -> Option<Self> {
        let text = source.to_str()?;
        let (scheme, rest) = text.split_once("://")?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        if !is_scheme {
            return None;
        }
        let start = text.len() - rest.len();
        let end = rest.find('/').map_or(text.len(), |slash| start + slash);
        let (root, key) = text.split_at(end);
        Some(Self { text, scheme, root, key: key.strip_prefix('/').unwrap_or(key) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(&str, &str, &str)> {
        Address::of(Path::new(text)).map(|address| (address.scheme, address.root, address.key))
    }

    #[test]
    fn an_address_has_a_scheme_a_root_and_a_key() {
        assert_eq!(parts("s3://shop/2019/oct.csv"), Some(("s3", "s3://shop", "2019/oct.csv")));
        assert_eq!(parts("s3://shop"), Some(("s3", "s3://shop", "")));
        assert_eq!(parts("s3://shop/"), Some(("s3", "s3://shop", "")));
        assert_eq!(parts("abfss://c@a.dfs.core.windows.net/x"), {
            Some(("abfss", "abfss://c@a.dfs.core.windows.net", "x"))
        });
        assert_eq!(parts("s3://shop//x"), Some(("s3", "s3://shop", "/x")));
        assert_eq!(parts("s3://"), Some(("s3", "s3://", "")));
    }

    #[test]
    fn what_has_no_scheme_is_a_path() {
        for path in
            ["events.csv", "/data/s3/x.csv", "s3:/shop/x.csv", "://x", "a b://x", "./s3://x", "3s://x", ""]
        {
            assert_eq!(parts(path), None, "{path}");
        }
    }
}
