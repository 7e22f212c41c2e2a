//! `cip segments`: clusters of customers who are alike, what they are and what to do.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use cip::core::{MoneyScale, Timestamp};
use cip::line::write_table;
use cip::rfm::clusters::{
    ClusterCount, ClusterFit, ClusterModel, ClusterSummary, ClusteredCustomers, Clusters, Fence,
};
use cip::rfm::{Rfm, RfmTable};
use cip::store::{EventStore, StagedFolder};
use serde_json::{Value, json};

use crate::args::{Common, SegmentsArgs};
use crate::currency;
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::{Answer, table};
use crate::summary::usage;

const CUSTOMERS: &str = "customer_rfm_kmeans_clustered";
const SUMMARY: &str = "cluster_summary";
const DESCRIPTIONS: &str = "cluster_description_and_recommendation";
const MODEL: &str = "cluster_model.json";

pub(crate) fn run(args: &SegmentsArgs, common: &Common) -> Result<Answer, CliError> {
    let clusters = Clusters::new(args.seed).with_most(args.most).map_err(usage)?;
    let clusters = clusters.with_choice(args.choose.into());
    let kept = args.model.as_deref().map(read_model).transpose()?;
    let store = EventStore::open(&args.store)?;
    let rfm = args.window.of(Rfm::new(args.as_of, store.schema())?).map_err(usage)?;
    let rfm = rfm.with_returns(args.returns.into());
    let line = currency::line(&store, &args.currency, common)?;
    let staged = StagedFolder::begin(&args.out)?;
    let scored = line.rfm(&rfm)?;
    let (model, tried) = match kept {
        Some(model) => (model, None),
        None => {
            let ClusterFit { model, counts, .. } = clusters.fit(&scored, args.as_of)?;
            (model, Some(counts))
        }
    };
    let found = Found { customers: model.assign(&scored)?, model, tried, as_of: args.as_of };
    let mut answer = Answer {
        text: format!("{}\nwritten to {}", found.text(), args.out.display()),
        json: found.to_json(&scored),
    };
    answer.json["from"] = json!(rfm.from().map(|from| from.to_string()));
    currency::tell(&line, &args.currency, &mut answer);
    found.write(&staged)?;
    // The folder is known as cip's by it.
    staged.write("summary.json", format!("{:#}\n", answer.json).as_bytes())?;
    staged.publish()?;
    Ok(answer)
}

fn read_model(path: &Path) -> Result<ClusterModel, CliError> {
    let file =
        File::open(path).map_err(|source| CliError::Io { action: "read", path: path.to_owned(), source })?;
    ClusterModel::read(BufReader::new(file))
        .map_err(|source| CliError::Clusters { path: path.to_owned(), source: Box::new(source) })
}

/// All that is told.
struct Found {
    model: ClusterModel,
    customers: ClusteredCustomers,
    /// The numbers of clusters that were tried; none where the model is one of before.
    tried: Option<Vec<ClusterCount>>,
    as_of: Timestamp,
}

impl Found {
    fn write(&self, staged: &StagedFolder) -> Result<(), CliError> {
        let path = |table: &str| staged.path().join(format!("{table}.parquet"));
        write_table(&path(CUSTOMERS), CUSTOMERS, self.customers.customers().clone())?;
        write_table(&path(SUMMARY), SUMMARY, self.customers.summary()?)?;
        write_table(&path(DESCRIPTIONS), DESCRIPTIONS, self.customers.descriptions()?)?;
        let mut model = Vec::new();
        self.model.write(&mut model)?;
        model.push(b'\n');
        staged.write(MODEL, &model)?;
        Ok(())
    }

    fn text(&self) -> String {
        let customers = self.customers.customers().num_rows();
        let by = match &self.tried {
            None => format!("by the model of {}", self.model.update_date()),
            Some(_) => format!("found with seed {}", self.model.seed()),
        };
        let mut text = format!(
            "{} customers in {} clusters, as of {}, {by} (below 0: outliers)\n\n{}",
            grouped(customers),
            self.customers.clusters().len(),
            self.as_of,
            table(
                &[
                    "cluster",
                    "customers",
                    "share",
                    "revenue",
                    "days since",
                    "orders",
                    "spent each",
                    "segment"
                ],
                &self.customers.clusters().iter().map(cells).collect::<Vec<_>>()
            ),
        );
        text.push_str("days, orders and what each spent are medians\n\n");
        let mut told = BTreeSet::new();
        for of in self.customers.clusters().iter().filter(|of| told.insert(of.name.as_str())) {
            text.push_str(&format!("  {}: {}\n", of.name, of.segment.recommendation()));
        }
        if let Some(tried) = self.tried.as_deref().filter(|tried| !tried.is_empty()) {
            let header = ["clusters tried", "inertia", "silhouette", "error", "elbow", "score"];
            text.push_str(&format!(
                "\n{}",
                table(&header, &tried.iter().map(tried_cells).collect::<Vec<_>>())
            ));
        }
        for (measure, fence) in self.fences() {
            if fence.is_none() {
                text.push_str(&format!(
                    "\nno outliers of {measure} are set apart: its first and third quartiles are equal\n"
                ));
            }
        }
        text
    }

    fn fences(&self) -> [(&'static str, Option<Fence>); 2] {
        [("monetary", self.model.monetary_fence()), ("frequency", self.model.frequency_fence())]
    }

    fn to_json(&self, scored: &RfmTable) -> Value {
        let money = scored.money_scale();
        let [(_, monetary), (_, frequency)] = self.fences();
        json!({
            "format": "cip-segments",
            "as_of": self.as_of.to_string(),
            "update_date": self.model.update_date().to_string(),
            "seed": self.model.seed(),
            "customers": scored.len(),
            "skipped_events": scored.skipped_events(),
            "fences": {
                "monetary": monetary.map(|fence| fence_json(fence, unit(money))),
                "frequency": frequency.map(|fence| fence_json(fence, 1.0)),
            },
            "tried": self.tried.as_ref().map(|tried| tried.iter().map(tried_json).collect::<Value>()),
            "clusters": self.customers.clusters().iter().map(cluster_json).collect::<Value>(),
        })
    }
}

fn unit(money: MoneyScale) -> f64 {
    10f64.powi(i32::from(money.decimals()))
}

fn cells(of: &ClusterSummary) -> Vec<String> {
    vec![
        of.cluster.to_string(),
        grouped(of.customers),
        percent(of.share, 1.0),
        grouped(of.money.display(of.revenue)),
        grouped(format!("{:.1}", of.median_recency_days)),
        grouped(format!("{:.1}", of.median_frequency)),
        grouped(format!("{:.2}", of.median_monetary)),
        of.name.clone(),
    ]
}

fn tried_cells(count: &ClusterCount) -> Vec<String> {
    vec![
        count.clusters.to_string(),
        grouped(format!("{:.1}", count.inertia)),
        format!("{:.3}", count.silhouette),
        format!("{:.3}", count.silhouette_error),
        format!("{:.3}", count.elbow),
        format!("{:.3}", count.score),
    ]
}

fn fence_json(fence: Fence, unit: f64) -> Value {
    json!({ "low": fence.low / unit, "high": fence.high / unit })
}

fn tried_json(count: &ClusterCount) -> Value {
    json!({
        "clusters": count.clusters, "inertia": count.inertia, "silhouette": count.silhouette,
        "silhouette_error": count.silhouette_error, "elbow": count.elbow, "score": count.score,
    })
}

fn cluster_json(of: &ClusterSummary) -> Value {
    json!({
        "cluster": of.cluster, "cluster_segment": of.name, "customers": of.customers, "share": of.share,
        "revenue": of.money.display(of.revenue).to_string(),
        "median_recency_days": of.median_recency_days, "median_frequency": of.median_frequency,
        "median_monetary": of.median_monetary, "average_recency_days": of.average_recency_days,
        "average_frequency": of.average_frequency, "average_monetary": of.average_monetary,
        "description": of.description(), "recommendation": of.segment.recommendation(),
    })
}
