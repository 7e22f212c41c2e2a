//! The file of a profile: a sketch of a table, to compare later ones with.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use serde::{Deserialize, Serialize};

use crate::cells::Cells;
use crate::column::{ColumnKind, ColumnProfile};
use crate::error::DriftError;
use crate::profile::{Profiled, SkippedColumn, TableProfile};

/// What the file starts with; another version has another.
const FORMAT: &str = "cip-drift-sketch-1";

#[derive(Serialize, Deserialize)]
struct Format {
    format: Box<str>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sketch {
    format: Box<str>,
    rows: u64,
    columns: Vec<SketchColumn>,
    skipped: Vec<SkippedColumn>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SketchColumn {
    name: Box<str>,
    kind: ColumnKind,
    missing: u64,
    infinite: u64,
    most: usize,
    dropped: u32,
    cells: Vec<(u64, u64)>,
    /// The texts of cells.
    names: BTreeMap<u64, Box<str>>,
}

impl TableProfile {
    /// The first bytes of the file of a profile, by which it is told from a table.
    pub const SKETCH_MAGIC: &[u8] = br#"{"format":"cip-drift-sketch"#;

    /// Writes the profile as JSON: the same bytes for the same profile.
    ///
    /// # Errors
    /// [`DriftError::Sketch`] where writing fails.
    ///
    /// # Examples
    /// ```
    /// use arrow_schema::{DataType, Field, Schema};
    /// use cip_drift::TableProfile;
    ///
    /// let profile = TableProfile::new(&Schema::new(vec![Field::new("visits", DataType::Int64, true)]));
    /// let mut file = Vec::new();
    /// profile.write_to(&mut file)?;
    /// assert!(file.starts_with(TableProfile::SKETCH_MAGIC));
    /// assert_eq!(TableProfile::read_from(file.as_slice())?.missing("visits"), Some(0));
    /// # Ok::<(), cip_drift::DriftError>(())
    /// ```
    pub fn write_to(&self, file: impl Write) -> Result<(), DriftError> {
        let column = |column: &Profiled| {
            let profile = &column.profile;
            let dropped = profile.cells.dropped();
            SketchColumn {
                name: column.name.clone(),
                kind: profile.kind,
                missing: profile.missing,
                infinite: profile.infinite,
                most: profile.cells.most(),
                dropped,
                cells: profile.cells.sorted(dropped),
                names: profile.names.iter().map(|(key, name)| (*key, name.clone())).collect(),
            }
        };
        let columns = self.columns().iter().map(column).collect();
        let sketch =
            Sketch { format: FORMAT.into(), rows: self.rows(), columns, skipped: self.skipped().to_vec() };
        Ok(serde_json::to_writer(file, &sketch)?)
    }

    /// Reads a profile that [`TableProfile::write_to`] wrote.
    ///
    /// # Errors
    /// [`DriftError::SketchFormat`] of another version, [`DriftError::SketchColumn`] where it is damaged, [`DriftError::Sketch`].
    pub fn read_from(mut file: impl Read) -> Result<Self, DriftError> {
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(serde_json::Error::io)?;
        let Format { format } = serde_json::from_slice(&text)?;
        if *format != *FORMAT {
            return Err(DriftError::SketchFormat { found: format, expected: FORMAT });
        }
        let sketch: Sketch = serde_json::from_slice(&text)?;
        let columns = sketch.columns.into_iter().map(|column| column.check(sketch.rows));
        Ok(Self { rows: sketch.rows, columns: columns.collect::<Result<_, _>>()?, skipped: sketch.skipped })
    }
}

impl SketchColumn {
    fn check(self, rows: u64) -> Result<Profiled, DriftError> {
        let name = self.name.clone();
        let damaged = |reason| DriftError::SketchColumn { column: name.clone(), reason };
        let counted = self.cells.iter().try_fold(self.missing, |sum, (_, count)| sum.checked_add(*count));
        if counted != Some(rows) {
            return Err(damaged("its counts are not those of the rows"));
        }
        if self.infinite > rows - self.missing {
            return Err(damaged("it has more infinite numbers than values"));
        }
        let cells = Cells::from_sorted(&self.cells, self.dropped, self.most);
        let cells = cells.ok_or_else(|| damaged("its cells are not in order, or are too many"))?;
        let profile = ColumnProfile {
            kind: self.kind,
            rows,
            missing: self.missing,
            infinite: self.infinite,
            cells,
            names: self.names.into_iter().collect(),
        };
        Ok(Profiled { name, profile })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
    use std::sync::Arc;

    fn profile() -> TableProfile {
        let numbers: ArrayRef =
            Arc::new(Float64Array::from(vec![Some(1.5), None, Some(f64::INFINITY), Some(-3.0)]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("ä\"b"), Some("c"), None, Some("c")]));
        let table =
            RecordBatch::try_from_iter_with_nullable([("n", numbers, true), ("t", texts, true)]).unwrap();
        let mut profile = TableProfile::new(&table.schema()).with_cells(8);
        profile.push(&table).unwrap();
        profile
    }

    fn bytes(profile: &TableProfile) -> Vec<u8> {
        let mut file = Vec::new();
        profile.write_to(&mut file).unwrap();
        file
    }

    #[test]
    fn a_sketch_that_is_read_goes_on_as_the_profile_would() {
        let (before, mut after) = (profile(), TableProfile::read_from(bytes(&profile()).as_slice()).unwrap());
        assert_eq!(bytes(&before), bytes(&after));
        after.merge(&before).unwrap();
        let mut twice = before.clone();
        twice.merge(&before).unwrap();
        assert_eq!(bytes(&after), bytes(&twice));
        assert!(after.retain(|name| name == "t").missing("n").is_none());
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let text = String::from_utf8(bytes(&profile())).unwrap();
        let refuse = |from: &str, to: &str| {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from} is not in {text}");
            TableProfile::read_from(changed.as_bytes()).unwrap_err().to_string()
        };
        assert!(
            refuse("sketch-1", "sketch-2")
                .starts_with("the sketch has the format `cip-drift-sketch-2`, expected")
        );
        assert!(
            refuse("\"rows\":4", "\"rows\":5").contains("column `n`: its counts are not those of the rows")
        );
        assert!(refuse("\"infinite\":1", "\"infinite\":9").contains("more infinite numbers than values"));
        assert!(refuse("\"most\":8", "\"most\":1").contains("cells are not in order, or are too many"));
        assert!(refuse("\"dropped\":0", "\"dropped\":64").contains("cells are not in order"));
        assert!(refuse("\"missing\"", "\"lost\"").contains("unknown field `lost`"));
        assert!(TableProfile::read_from(&text.as_bytes()[..text.len() / 2]).is_err());
    }
}
