//! Messages of protocol buffers, written: as much as a model of ONNX needs.

/// A message, field by field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Message {
    bytes: Vec<u8>,
}

/// How a field follows its number.
#[derive(Debug, Clone, Copy)]
enum Wire {
    Varint = 0,
    Length = 2,
}

impl Message {
    /// Adds a whole number; negative ones as their complement of two.
    pub(super) fn int(mut self, field: u32, value: i64) -> Self {
        self.tag(field, Wire::Varint);
        self.varint(value.cast_unsigned());
        self
    }

    /// Adds a text.
    pub(super) fn text(self, field: u32, value: &str) -> Self {
        self.raw(field, value.as_bytes())
    }

    /// Adds a message within.
    pub(super) fn message(self, field: u32, value: Self) -> Self {
        self.raw(field, &value.bytes)
    }

    /// Adds whole numbers, packed.
    pub(super) fn ints(self, field: u32, values: impl IntoIterator<Item = i64>) -> Self {
        let mut packed = Self::default();
        values.into_iter().for_each(|value| packed.varint(value.cast_unsigned()));
        self.message(field, packed)
    }

    /// Adds numbers of 32 bits, packed.
    pub(super) fn floats(self, field: u32, values: impl IntoIterator<Item = f32>) -> Self {
        let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
        self.message(field, Self { bytes })
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn raw(mut self, field: u32, bytes: &[u8]) -> Self {
        self.tag(field, Wire::Length);
        self.varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn tag(&mut self, field: u32, wire: Wire) {
        self.varint(u64::from(field << 3 | wire as u32));
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_documentation() {
        // The examples of protobuf.dev, "Encoding".
        assert_eq!(Message::default().int(1, 150).into_bytes(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().text(2, "testing").into_bytes(), b"\x12\x07testing");
        let within = Message::default().message(3, Message::default().int(1, 150));
        assert_eq!(within.into_bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        let packed = Message::default().ints(6, [3, 270, 86_942]);
        assert_eq!(packed.into_bytes(), [0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05]);
        assert_eq!(
            Message::default().int(1, -2).into_bytes(),
            b"\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"
        );
        assert_eq!(Message::default().floats(7, [1.0]).into_bytes(), [0x3a, 4, 0, 0, 0x80, 0x3f]);
    }
}
