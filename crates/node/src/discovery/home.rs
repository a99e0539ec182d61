//! Where the zones' files are when nobody says otherwise.

use std::{env, ffi::OsString, path::PathBuf};

use super::OpenError;

/// The folder of all zones: `TROUPE_HOME`, else `troupe` in the user's data folder (`XDG_DATA_HOME`, else
/// `~/.local/share`; on macOS `~/Library/Application Support`). An empty variable counts as unset.
/// [`OpenError::NoHome`] when the environment names none of them.
pub fn default_home() -> Result<PathBuf, OpenError> {
    choose(|name| env::var_os(name)).ok_or(OpenError::NoHome)
}

fn choose(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(home) = folder("TROUPE_HOME") {
        return Some(home);
    }
    // The XDG specification says that a relative path there is to be ignored.
    let data = if cfg!(target_os = "macos") {
        folder("HOME")?.join("Library/Application Support")
    } else if let Some(data) = folder("XDG_DATA_HOME").filter(|path| path.is_absolute()) {
        data
    } else {
        folder("HOME")?.join(".local/share")
    };
    Some(data.join("troupe"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)]) -> Option<String> {
        let path =
            choose(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))?;
        Some(path.display().to_string())
    }

    #[test]
    fn troupe_home_comes_first() {
        let variables = [("TROUPE_HOME", "/a"), ("XDG_DATA_HOME", "/b"), ("HOME", "/c")];
        assert_eq!(chosen(&variables).as_deref(), Some("/a"));
    }

    #[test]
    #[cfg(not(target_os = "macos"))]
    fn the_data_folder_is_used_when_troupe_home_is_unset_or_empty() {
        assert_eq!(chosen(&[("XDG_DATA_HOME", "/b"), ("HOME", "/c")]).as_deref(), Some("/b/troupe"));
        let variables = [("TROUPE_HOME", ""), ("XDG_DATA_HOME", "b"), ("HOME", "/c")];
        assert_eq!(chosen(&variables).as_deref(), Some("/c/.local/share/troupe"));
    }

    #[test]
    fn without_any_home_there_is_none() {
        assert_eq!(chosen(&[]), None);
    }
}
