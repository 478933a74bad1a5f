//! The page stands alone, is well formed, and shows names as they are.

use super::play;

fn html() -> String {
    let trace = "t_s,tenant,priority,input_tokens,output_tokens\n0,a,interactive,100,10\n1,b,batch,900,100\n2,a,batch,900,90\n70,b,batch,9,9\n";
    play(
        &[
            "a<b>&\"c.csv",
            "--tokens-per-minute",
            "6000",
            "--max-tokens",
            "200",
        ],
        trace,
    )
    .unwrap()
    .html()
}

/// Names of the elements, in order; panics where one is not closed as XML wants it.
fn elements(page: &str) -> Vec<String> {
    let (mut open, mut seen) = (Vec::new(), Vec::new());
    let mut rest = page.strip_prefix("<!DOCTYPE html>").unwrap();
    while let Some(begin) = rest.find('<') {
        let end = begin + rest[begin..].find('>').unwrap();
        let tag = &rest[begin + 1..end];
        rest = &rest[end + 1..];
        let name = |tag: &str| tag.split([' ', '\n']).next().unwrap().to_owned();
        match tag.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop().as_deref(), Some(closed), "</{closed}>"),
            None if tag.ends_with('/') => seen.push(name(tag.trim_end_matches('/'))),
            None => {
                seen.push(name(tag));
                open.push(name(tag));
            }
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
    }
    assert!(open.is_empty(), "{open:?}");
    seen
}

#[test]
fn it_is_well_formed_and_has_its_plots() {
    let seen = elements(&html());
    let count = |name: &str| seen.iter().filter(|seen| *seen == name).count();
    assert_eq!((count("figure"), count("style"), count("script")), (4, 1, 0));
    // Each plot has a curve for each of the two bands, or for the two ways to count tokens.
    assert_eq!(count("path"), 8);
    assert_eq!(count("table"), 2);
    assert!(count("text") > 30, "{}", count("text"));
}

#[test]
fn it_loads_nothing_and_runs_nothing() {
    let page = html();
    for outside in [
        "http:", "https:", "//", "src=", "href=", "url(", "@import", "<script", "<link", "<iframe", "onload",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn names_are_shown_and_not_run() {
    let page = html();
    assert!(page.contains("<h1>a&lt;b&gt;&amp;&quot;c.csv</h1>"));
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("color-scheme: light dark"));
    // No curve leaves the plot, and none holds what is no number.
    for path in page
        .split(" d=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
    {
        assert!(
            !path.contains("NaN") && !path.contains("inf") && !path.contains('-'),
            "{path}"
        );
    }
}
