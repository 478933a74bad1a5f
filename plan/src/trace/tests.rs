use super::rows_of;
use crate::workload::ORIGIN;
use smoother_core::{Millis, Priority, TenantId, Timestamp, Tokens};

fn wrong(text: &str) -> Vec<(u64, String)> {
    let errors = rows_of("x.csv", text.as_bytes()).unwrap_err();
    errors
        .mistakes()
        .iter()
        .map(|one| (one.line(), one.to_string()))
        .collect()
}

#[test]
fn dates_are_read_to_the_millisecond() {
    let text = b"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04,7,0\n";
    let rows = rows_of("a", text).unwrap();
    assert_eq!(rows[0].at, Timestamp::from_millis(1_700_158_623_979));
    assert_eq!(rows[1].at, Timestamp::from_millis(1_700_158_624_000));
    assert_eq!(
        (rows[0].input, rows[0].output),
        (Tokens::new(4_808), Tokens::new(10))
    );
    assert_eq!(
        (&rows[0].tenant, rows[0].priority, rows[0].max_tokens),
        (&None, None, None)
    );
}

#[test]
fn clients_are_tenants() {
    let rows = rows_of(
        "b",
        b"t_s,client_id,input_tokens,output_tokens\n0.000,143,651,3\n1.25,80,9,1\n",
    )
    .unwrap();
    assert_eq!(rows[1].at, ORIGIN + Millis::new(1_250));
    assert_eq!(rows[0].tenant, Some(TenantId::new("143").unwrap()));
}

#[test]
fn our_own_form_says_all_in_any_order_and_may_leave_fields_empty() {
    let text = b"priority,timeout_ms,t_s,input_tokens,output_tokens,tenant,max_tokens\r\nbatch,5000,1,2,3,acme,4\r\n,,2,5,6,,\r\n";
    let rows = rows_of("c", text).unwrap();
    assert_eq!(rows[0].priority, Some(Priority::Batch));
    assert_eq!(
        (rows[0].max_tokens, rows[0].timeout),
        (Some(Tokens::new(4)), Some(Millis::new(5_000)))
    );
    assert_eq!(
        (
            rows[1].priority,
            &rows[1].tenant,
            rows[1].max_tokens,
            rows[1].timeout
        ),
        (None, &None, None, None)
    );
}

#[test]
fn every_bad_row_is_told_with_its_line_and_what_is_wrong() {
    let text = "t_s,input_tokens,output_tokens,priority\n1,2,3,batch\nx,2,-3,batch\n1,2\n\n5,6,7,urgent\n";
    let found = wrong(text);
    let lines: Vec<u64> = found.iter().map(|(line, _)| *line).collect();
    // The empty line says nothing, and is counted.
    assert_eq!(lines, [3, 3, 4, 6]);
    for ((_, said), names) in found.iter().zip([
        "t_s is \"x\"",
        "output_tokens is \"-3\"",
        "2 field(s)",
        "interactive",
    ]) {
        assert!(said.contains(names) && said.starts_with("x.csv:"), "{said}");
    }
}

#[test]
fn a_header_names_what_is_known_and_nothing_twice() {
    for (text, names) in [
        ("", "no column t_s"),
        ("t_s,input_tokens\n", "no column output_tokens"),
        (
            "t_s,input_tokens,output_tokens,colour\n",
            "\"colour\"; known are t_s",
        ),
        (
            "t_s,tenant,client_id,input_tokens,output_tokens\n",
            "tenant and client_id say the same",
        ),
        ("t_s,TIMESTAMP,input_tokens,output_tokens\n", "both say when"),
        ("t_s,input_tokens,output_tokens\n", "no row"),
    ] {
        let found = wrong(text);
        assert!(
            found.len() == 1 && found[0].1.contains(names),
            "{text:?}: {found:?}"
        );
    }
}

#[test]
fn bytes_that_are_no_text_are_a_mistake_of_their_line_only() {
    let text = b"t_s,input_tokens,output_tokens\n1,2,\xff\n2,x,3\n";
    let errors = rows_of("x.csv", text).unwrap_err();
    let lines: Vec<u64> = errors.mistakes().iter().map(super::Mistake::line).collect();
    assert_eq!(lines, [2, 3], "{errors}");
}

#[test]
fn of_many_mistakes_the_first_are_told_and_the_rest_counted() {
    let text = format!("t_s,input_tokens,output_tokens\n{}", "x,1,1\n".repeat(30));
    let said = rows_of("x.csv", text.as_bytes()).unwrap_err().to_string();
    assert_eq!(said.lines().count(), 21);
    assert!(said.ends_with("and 10 more mistake(s)"), "{said}");
}
