//! The helpers of texts: `lower`, `before`, `date` … Nothing else can be computed in a mapping.
//!
//! Pure functions from texts to a text; `None` means missing.

/// Every helper and the number of texts it takes.
pub(crate) const HELPERS: &[(&str, usize)] = &[
    ("lower", 1),
    ("upper", 1),
    ("trim", 1),
    ("left", 2),
    ("before", 2),
    ("after", 2),
    ("replace", 3),
    ("ascii", 1),
    ("date", 2),
    ("only", 3),
];

/// Runs a helper. `given` has as many texts as [`HELPERS`] says.
pub(crate) fn run(name: &str, given: &[String]) -> Option<String> {
    let text = given.first()?;
    let second = given.get(1).map_or("", String::as_str);
    let third = given.get(2).map_or("", String::as_str);
    match name {
        "lower" => Some(text.to_lowercase()),
        "upper" => Some(text.to_uppercase()),
        "trim" => Some(text.trim().to_owned()),
        "left" => Some(text.chars().take(second.parse().ok()?).collect()),
        // Without the separator `before` is the whole text and `after` is missing.
        "before" => Some(text.split_once(second).map_or(text.as_str(), |(b, _)| b).to_owned()),
        "after" => text.split_once(second).map(|(_, after)| after.to_owned()),
        "replace" => Some(text.replace(second, third)),
        "ascii" => Some(text.chars().map(plain_letter).collect()),
        "date" => date(text, second),
        "only" => {
            let allowed = Allowed::parse(second);
            Some(
                text.chars()
                    .map(|c| if allowed.has(c) { c.to_string() } else { third.to_owned() })
                    .collect(),
            )
        }
        _ => None,
    }
}

/// A set of characters, written `a-z0-9._-`.
struct Allowed(Vec<(char, char)>);

impl Allowed {
    fn parse(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut ranges = Vec::new();
        let mut at = 0;
        while at < chars.len() {
            if chars.get(at + 1) == Some(&'-') && at + 2 < chars.len() {
                ranges.push((chars[at], chars[at + 2]));
                at += 3;
            } else {
                ranges.push((chars[at], chars[at]));
                at += 1;
            }
        }
        Self(ranges)
    }

    fn has(&self, c: char) -> bool {
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&c))
    }
}

/// A date or a time stamp of SCIM in another format.
pub(crate) fn date(text: &str, format: &str) -> Option<String> {
    if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
        let zoned = stamp.to_zoned(jiff::tz::TimeZone::UTC);
        return jiff::fmt::strtime::format(format, &zoned).ok();
    }
    let date = text.parse::<jiff::civil::Date>().ok()?;
    jiff::fmt::strtime::format(format, date).ok()
}

/// A Latin letter without its accent, as a text; other characters stay.
fn plain_letter(c: char) -> String {
    const PLAIN: &[(&str, &str)] = &[
        ("ÀÁÂÃÅĀĂĄ", "A"),
        ("àáâãåāăą", "a"),
        ("ÇĆĈĊČ", "C"),
        ("çćĉċč", "c"),
        ("ĎĐ", "D"),
        ("ďđ", "d"),
        ("ÈÉÊËĒĔĖĘĚ", "E"),
        ("èéêëēĕėęě", "e"),
        ("ĜĞĠĢ", "G"),
        ("ĝğġģ", "g"),
        ("ĤĦ", "H"),
        ("ĥħ", "h"),
        ("ÌÍÎÏĨĪĬĮİ", "I"),
        ("ìíîïĩīĭįı", "i"),
        ("Ĵ", "J"),
        ("ĵ", "j"),
        ("Ķ", "K"),
        ("ķ", "k"),
        ("ĹĻĽĿŁ", "L"),
        ("ĺļľŀł", "l"),
        ("ÑŃŅŇ", "N"),
        ("ñńņň", "n"),
        ("ÒÓÔÕØŌŎŐ", "O"),
        ("òóôõøōŏő", "o"),
        ("ŔŖŘ", "R"),
        ("ŕŗř", "r"),
        ("ŚŜŞŠȘ", "S"),
        ("śŝşšș", "s"),
        ("ŢŤŦȚ", "T"),
        ("ţťŧț", "t"),
        ("ÙÚÛŨŪŬŮŰŲ", "U"),
        ("ùúûũūŭůűų", "u"),
        ("Ŵ", "W"),
        ("ŵ", "w"),
        ("ÝŶŸ", "Y"),
        ("ýŷÿ", "y"),
        ("ŹŻŽ", "Z"),
        ("źżž", "z"),
        ("Ä", "Ae"),
        ("ä", "ae"),
        ("Ö", "Oe"),
        ("ö", "oe"),
        ("Ü", "Ue"),
        ("ü", "ue"),
        ("ß", "ss"),
        ("Æ", "AE"),
        ("æ", "ae"),
        ("Œ", "OE"),
        ("œ", "oe"),
        ("Þ", "Th"),
        ("þ", "th"),
        ("Ð", "D"),
        ("ð", "d"),
    ];
    // A combining mark after a plain letter is the accent itself.
    if ('\u{300}'..='\u{36f}').contains(&c) {
        return String::new();
    }
    PLAIN
        .iter()
        .find(|(accented, _)| accented.contains(c))
        .map_or_else(|| c.to_string(), |(_, plain)| (*plain).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn helper(name: &str, given: &[&str]) -> Option<String> {
        run(name, &given.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn each_helper_does_what_the_language_says() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(helper("lower", &["ÄB"]), some("äb"));
        assert_eq!(helper("upper", &["ab"]), some("AB"));
        assert_eq!(helper("trim", &[" a "]), some("a"));
        assert_eq!(helper("left", &["äbc", "2"]), some("äb"));
        assert_eq!(helper("before", &["a@b@c", "@"]), some("a"));
        assert_eq!(helper("before", &["abc", "@"]), some("abc"));
        assert_eq!(helper("after", &["a@b@c", "@"]), some("b@c"));
        assert_eq!(helper("after", &["abc", "@"]), None);
        assert_eq!(helper("replace", &["a b c", " ", "_"]), some("a_b_c"));
        assert_eq!(helper("ascii", &["Łódź, Zoë e\u{301}"]), some("Lodz, Zoe e"));
        assert_eq!(helper("date", &["2026-03-04T05:06:07Z", "%d.%m.%Y"]), some("04.03.2026"));
        assert_eq!(helper("date", &["2026-03-04", "%Y/%m"]), some("2026/03"));
        assert_eq!(helper("date", &["soon", "%Y"]), None);
        assert_eq!(helper("only", &["Ann.O'Hara-1", "a-zA-Z0-9._-", "_"]), some("Ann.O_Hara-1"));
    }
}
