//! Where the fields of one file go: its header held against the mapping.

use std::ops::RangeInclusive;

use crate::attributes::Attributes;
use crate::block::BlockPlan;
use crate::field::{FieldText, Fields};
use crate::parse::Parser;
use crate::rule::Condition;
use crate::source::Header;
use crate::target::Fill;

/// Where the fields of one file go.
pub(crate) struct FilePlan<'a> {
    pub(crate) fields: usize,
    pub(crate) columns: Vec<ColumnPlan<'a>>,
    pub(crate) drops: Vec<(usize, &'a Condition)>,
    /// Where products have attributes.
    pub(crate) attributes: Option<AttributePlan>,
    /// All columns, and those that are read also where the attributes are known.
    pub(crate) every: Vec<usize>,
    pub(crate) but_attributes: Vec<usize>,
    /// Where lines may be read some at once.
    pub(crate) block: Option<BlockPlan>,
}

pub(crate) enum ColumnPlan<'a> {
    Field(usize),
    Constant { value: &'a str, when: Vec<(usize, &'a Condition, &'a str)> },
}

/// Where the attributes of products stand.
pub(crate) struct AttributePlan {
    /// The fields of the attributes' columns.
    fields: Vec<usize>,
    /// The same where they are neighbours in this order: then their text is looked up as it stands.
    span: Option<RangeInclusive<usize>>,
}

impl<'a> FilePlan<'a> {
    pub(crate) fn new(parser: &'a Parser, header: &Header) -> Self {
        // The header was held against the mapping: every column is there.
        let index = |name: &str| header.index_of(name).unwrap_or_default();
        let columns = parser.columns.iter().map(|target| match &target.fill {
            Fill::From(from) => ColumnPlan::Field(index(from)),
            Fill::Constant { value, when } => ColumnPlan::Constant {
                value,
                when: when.iter().map(|(column, fits, then)| (index(column), fits, then.as_str())).collect(),
            },
        });
        let columns: Vec<ColumnPlan<'_>> = columns.collect();
        let attributes = parser.attributes.as_ref().map(Attributes::columns).unwrap_or_default();
        let field = |column: &usize| match columns[*column] {
            ColumnPlan::Field(field) => Some(field),
            ColumnPlan::Constant { .. } => None,
        };
        let fields: Vec<usize> = attributes.iter().filter_map(field).collect();
        let plan = fields.first().copied().zip(fields.last().copied()).map(|(first, last)| {
            let neighbours = fields.iter().copied().eq(first..first + fields.len());
            AttributePlan { span: neighbours.then_some(first..=last), fields }
        });
        let every: Vec<usize> = (0..columns.len()).collect();
        Self {
            fields: header.names.len(),
            block: BlockPlan::new(parser, &columns, plan.as_ref()),
            columns,
            attributes: plan,
            but_attributes: every.iter().copied().filter(|column| !attributes.contains(column)).collect(),
            every,
            drops: parser.drops.iter().map(|(_, column, condition)| (index(column), condition)).collect(),
        }
    }
}

impl AttributePlan {
    /// The fields, where they are neighbours in this order.
    pub(crate) fn span(&self) -> Option<&RangeInclusive<usize>> {
        self.span.as_ref()
    }

    /// Returns a text by which attributes are told apart: the fields as they stand, or joined so that they never look like such.
    #[inline(always)]
    pub(crate) fn text<'a>(
        &self,
        fields: &'a impl Fields,
        unescaped: &mut Vec<u8>,
        joined: &'a mut Vec<u8>,
    ) -> FieldText<'a> {
        match self.span.clone().and_then(|span| fields.span(span)) {
            Some(text) => text,
            None => {
                self.join(fields, unescaped, joined);
                FieldText::alone(joined)
            }
        }
    }

    #[cold]
    fn join(&self, fields: &impl Fields, unescaped: &mut Vec<u8>, joined: &mut Vec<u8>) {
        // A line has no line end in it.
        joined.clear();
        joined.push(b'\n');
        for &field in &self.fields {
            let text = fields.field(field, unescaped).bytes();
            joined.extend_from_slice(&(text.len() as u64).to_le_bytes());
            joined.extend_from_slice(text);
        }
    }
}
