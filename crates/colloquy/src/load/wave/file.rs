//! RIFF WAVE files: a header of 44 bytes, then 16-bit samples, mono, little-endian.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// Bytes before the samples.
const HEADER: usize = 44;

/// A file that grows.
pub(super) struct WaveFile {
    path: PathBuf,
    writer: BufWriter<File>,
    rate_hz: u32,
    bytes: u64,
}

impl WaveFile {
    pub(super) fn create(path: PathBuf, rate_hz: u32) -> anyhow::Result<WaveFile> {
        let file = File::create(&path).with_context(|| {
            format!(
                "the wave file {} cannot be written: check the folder and its permissions",
                path.display()
            )
        })?;
        let mut file = WaveFile {
            path,
            writer: BufWriter::new(file),
            rate_hz,
            bytes: 0,
        };
        file.put(&header(rate_hz, 0))?;
        file.bytes = 0;
        Ok(file)
    }

    pub(super) fn silence(&mut self, samples: u64) -> anyhow::Result<()> {
        const ZEROS: [u8; 4_096] = [0; 4_096];
        let mut left = samples * 2;
        while left > 0 {
            let part = left.min(ZEROS.len() as u64);
            self.put(&ZEROS[..usize::try_from(part)?])?;
            left -= part;
        }
        Ok(())
    }

    pub(super) fn samples(&mut self, pcm: &[i16]) -> anyhow::Result<()> {
        let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        self.put(&bytes)
    }

    /// Writes the length into the header.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.writer.seek(SeekFrom::Start(0))?;
        let length = u32::try_from(self.bytes).context("longer than a wave file can be")?;
        let header = header(self.rate_hz, length);
        self.put(&header)?;
        self.writer.flush().with_context(|| self.complaint())
    }

    fn put(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.bytes += bytes.len() as u64;
        let written = self.writer.write_all(bytes);
        written.with_context(|| self.complaint())
    }

    fn complaint(&self) -> String {
        format!(
            "the wave file {} cannot be written: is the disk full?",
            self.path.display()
        )
    }
}

fn header(rate_hz: u32, data_bytes: u32) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(b"RIFF");
    header.extend_from_slice(&data_bytes.saturating_add(36).to_le_bytes());
    header.extend_from_slice(b"WAVEfmt ");
    header.extend_from_slice(&16_u32.to_le_bytes());
    header.extend_from_slice(&1_u16.to_le_bytes()); // PCM
    header.extend_from_slice(&1_u16.to_le_bytes()); // mono
    header.extend_from_slice(&rate_hz.to_le_bytes());
    header.extend_from_slice(&(rate_hz * 2).to_le_bytes());
    header.extend_from_slice(&2_u16.to_le_bytes());
    header.extend_from_slice(&16_u16.to_le_bytes());
    header.extend_from_slice(b"data");
    header.extend_from_slice(&data_bytes.to_le_bytes());
    header
}

/// The samples of a file that was written here.
pub(in crate::load) fn read(path: &Path) -> anyhow::Result<Vec<i16>> {
    let bytes = std::fs::read(path)
        .with_context(|| format!("the wave file {} cannot be read", path.display()))?;
    ensure!(
        bytes.len() >= HEADER,
        "the wave file {} has no header: something else wrote to it",
        path.display()
    );
    let samples = bytes[HEADER..].chunks_exact(2);
    Ok(samples
        .map(|sample| i16::from_le_bytes([sample[0], sample[1]]))
        .collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_file_has_a_header_with_its_length_and_gives_its_samples_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let mut file = WaveFile::create(path.clone(), 24_000).unwrap();
        file.samples(&[1, -2]).unwrap();
        file.silence(3_000).unwrap();
        file.samples(&[i16::MIN]).unwrap();
        file.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), HEADER + 2 * 3_003);
        assert_eq!(bytes[4..8], (36_u32 + 6_006).to_le_bytes());
        assert_eq!(bytes[40..44], 6_006_u32.to_le_bytes());
        let samples = read(&path).unwrap();
        assert_eq!((samples[0], samples[1], samples[2]), (1, -2, 0));
        assert_eq!(samples.last(), Some(&i16::MIN));
    }
}
