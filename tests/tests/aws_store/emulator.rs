//! MiniStack, one for all tests of this process; it ends with the process, which holds its standard input.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, StreamSpecification, StreamViewType,
};
use smoother_aws::table::schema::{INDEXES, Index, KEYS};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

static RUNNING: OnceLock<(String, Mutex<Child>)> = OnceLock::new();

/// Its address.
pub fn url() -> &'static str {
    &RUNNING.get_or_init(start).0
}

fn start() -> (String, Mutex<Child>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let python = root.join(".venv-aws/bin/python");
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut child = Command::new(&python)
        .arg(root.join("tests/aws/cloud/ministack_main.py"))
        .args(["--port", &port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not run ({error}): {INSTALL}", python.display()));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said: Vec<String> = lines
        .by_ref()
        .map_while(Result::ok)
        .take_while(|line| !line.starts_with("{\"url\""))
        .collect();
    let health = format!("http://127.0.0.1:{port}");
    if child.try_wait().unwrap().is_some() {
        panic!("MiniStack did not start: {INSTALL}; it said {said:?}");
    }
    // Whatever else it says is read, so that it never waits for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    (health, Mutex::new(child))
}

const INSTALL: &str = "run tests/aws/make-venv, which installs it";

/// A name that nobody else in this process has.
pub fn fresh(what: &str) -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    format!(
        "{what}-{}-{}",
        std::process::id(),
        LAST.fetch_add(1, Ordering::Relaxed)
    )
}

/// The table as the deployment makes it, without `missing`.
pub async fn make_table(client: &aws_sdk_dynamodb::Client, name: &str, missing: Option<&str>) {
    let key = |name: &str, kind| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()
            .unwrap()
    };
    let keys = |(partition, sort)| Some(vec![key(partition, KeyType::Hash), key(sort, KeyType::Range)]);
    let indexes: Vec<&Index> = INDEXES
        .iter()
        .filter(|index| missing != Some(index.name))
        .collect();
    let names = indexes
        .iter()
        .map(|index| index.keys)
        .chain([KEYS])
        .flat_map(|(p, s)| [p, s]);
    let attribute = |name: &str| {
        let text = AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S);
        text.build().unwrap()
    };
    let index = |index: &&Index| {
        let projection = if index.carries.is_empty() {
            Projection::builder().projection_type(ProjectionType::KeysOnly)
        } else {
            let carried = index.carries.iter().map(|name| (*name).to_owned()).collect();
            let include = Projection::builder().projection_type(ProjectionType::Include);
            include.set_non_key_attributes(Some(carried))
        };
        let index = GlobalSecondaryIndex::builder()
            .index_name(index.name)
            .set_key_schema(keys(index.keys));
        index.projection(projection.build()).build().unwrap()
    };
    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::NewAndOldImages);
    client
        .create_table()
        .table_name(name)
        .set_key_schema(keys(KEYS))
        .set_attribute_definitions(Some(names.map(attribute).collect()))
        .set_global_secondary_indexes(Some(indexes.iter().map(index).collect()))
        .billing_mode(BillingMode::PayPerRequest)
        .stream_specification(stream.build().unwrap())
        .send()
        .await
        .unwrap();
}
