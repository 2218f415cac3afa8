//! The plot: time of an operation over its size, a line for each contender.

use crate::cases::{Case, Place};
use crate::contenders::{Contender, Task};
use crate::numbers::bytes;
use crate::results::Results;
use plotters::coord::Shift;
use plotters::prelude::*;
use std::path::Path;
use wasmtime::{Result, format_err};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws reads and writes at random over the whole file, side by side.
pub(crate) fn draw(results: &Results, path: &Path) -> Result<()> {
    let root = SVGBackend::new(path, (1240, 620)).into_drawing_area();
    let drawn = root.fill(&WHITE).map_err(|error| error.to_string()).and_then(|()| {
        let (left, right) = root.split_horizontally(620);
        panel(&left, results, Task::Read, "Reading at random over 256 MiB")?;
        panel(&right, results, Task::Write, "Writing at random over 256 MiB")?;
        root.present().map_err(|error| error.to_string())
    });
    drawn.map_err(|error| format_err!("cannot draw {}: {error}", path.display()))
}

/// A contender's colour, the same in both panels.
fn colour(contender: Contender) -> RGBColor {
    match contender {
        Contender::Memcpy => RGBColor(90, 90, 90),
        Contender::MemcpyBatched => RGBColor(190, 190, 190),
        Contender::Syscall => RGBColor(150, 100, 60),
        Contender::Single => RGBColor(0, 90, 200),
        Contender::Batched => RGBColor(0, 170, 220),
        Contender::Rust => RGBColor(0, 140, 80),
        Contender::RustInPlace => RGBColor(0, 80, 50),
        Contender::RustBatched => RGBColor(120, 190, 60),
        Contender::WasiBlocking => RGBColor(230, 120, 0),
        Contender::WasiDefault => RGBColor(200, 20, 40),
        Contender::RustCopied => RGBColor(170, 60, 160),
        Contender::Empty | Contender::Borrowed => BLACK,
    }
}

fn panel(
    area: &Area<'_>,
    results: &Results,
    task: Task,
    title: &str,
) -> std::result::Result<(), String> {
    let place = Place::Random;
    let sizes = results.sizes(task, place);
    let (Some(least), Some(most)) = (sizes.first(), sizes.last()) else { return Ok(()) };
    let text = |error: DrawingAreaErrorKind<std::io::Error>| error.to_string();
    let across = (f64::from(*least)..f64::from(*most) * 1.3).log_scale().base(8.0);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(64)
        .build_cartesian_2d(across, (1f64..2e6).log_scale())
        .map_err(text)?;
    chart
        .configure_mesh()
        .x_desc("bytes an operation")
        .y_desc("time an operation")
        .x_label_formatter(&|size| bytes(size.round() as u64))
        .y_label_formatter(&|ns| time(*ns))
        .axis_desc_style(("sans-serif", 15))
        .label_style(("sans-serif", 13))
        .light_line_style(WHITE.mix(0.0))
        .bold_line_style(BLACK.mix(0.12))
        .draw()
        .map_err(text)?;
    for contender in Contender::all(task) {
        let points: Vec<_> = sizes
            .iter()
            .filter_map(|size| {
                let sample = results.sample(Case { task, place, size: *size }, *contender)?;
                Some((f64::from(*size), sample.median))
            })
            .collect();
        if points.is_empty() {
            continue;
        }
        let colour = colour(*contender);
        let line = LineSeries::new(points, colour.stroke_width(2)).point_size(3);
        let sample = move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2));
        chart.draw_series(line).map_err(text)?.label(contender.name(task)).legend(sample);
    }
    chart
        .configure_series_labels()
        // Nobody copies that much in so little time: no line comes here.
        .position(SeriesLabelPosition::LowerRight)
        .label_font(("sans-serif", 13))
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.2))
        .legend_area_size(24)
        .draw()
        .map_err(text)
}

fn time(ns: f64) -> String {
    match ns {
        ..1e3 => format!("{ns:.0} ns"),
        1e3..1e6 => format!("{:.0} µs", ns / 1e3),
        _ => format!("{:.0} ms", ns / 1e6),
    }
}
