//! A small directed graph as SVG: boxes of text in layers, and edges with labels.
//!
//! The layer of a box is its longest path from the first box, ignoring back edges; back edges are drawn around the right side.

use std::fmt::Write as _;

use super::escape;

/// A box.
pub(crate) struct Node {
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
}

/// An edge between boxes, by their indices.
pub(crate) struct Arrow {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) label: &'static str,
    pub(crate) color: &'static str,
    pub(crate) dashed: bool,
}

const CHARACTER: f64 = 7.3;
const LINE: f64 = 17.0;
const PADDING: f64 = 10.0;
const GAP: f64 = 56.0;
const LONGEST_LINE: usize = 64;

struct Placed {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Placed {
    fn middle(&self) -> f64 {
        self.x + self.width / 2.0
    }
}

/// Draws a graph. The title is for screen readers. O(nodes · arrows), meant for a few dozen.
pub(crate) fn draw(title: &str, nodes: &[Node], arrows: &[Arrow]) -> String {
    let layers = layers(nodes.len(), arrows);
    let placed = place(nodes, &layers);
    let right = placed.iter().map(|at| at.x + at.width).fold(0.0, f64::max);
    let bottom = placed.iter().map(|at| at.y + at.height).fold(0.0, f64::max);
    let backs = arrows.iter().filter(|arrow| !is_down(arrow, &layers)).count();
    let (width, height) = (right + 40.0 + 34.0 * backs as f64 + PADDING, bottom + PADDING);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" style=\"width:{width:.0}px\" \
         role=\"img\" font-family=\"ui-monospace, monospace\" font-size=\"12\">\n<title>{}</title>\n",
        escape(title)
    );
    let mut lane = right + 30.0;
    for arrow in arrows {
        let (from, to) = (&placed[arrow.from], &placed[arrow.to]);
        if is_down(arrow, &layers) {
            down(&mut svg, arrow, from, to);
        } else {
            around(&mut svg, arrow, from, to, lane);
            lane += 34.0;
        }
    }
    for (node, at) in nodes.iter().zip(&placed) {
        boxed(&mut svg, node, at);
    }
    svg.push_str("</svg>\n");
    svg
}

fn is_down(arrow: &Arrow, layers: &[usize]) -> bool {
    layers[arrow.to] == layers[arrow.from] + 1
}

/// The layer of each node: one more than the greatest layer of its predecessors.
fn layers(nodes: usize, arrows: &[Arrow]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    let mut seen = vec![false; nodes];
    for root in 0..nodes {
        visit(root, arrows, &mut seen, &mut order);
    }
    order.reverse();
    let mut at = vec![0; nodes];
    order.iter().enumerate().for_each(|(place, &node)| at[node] = place);
    let mut layers = vec![0; nodes];
    for &node in &order {
        for arrow in arrows.iter().filter(|arrow| arrow.from == node && at[arrow.to] > at[node]) {
            layers[arrow.to] = layers[arrow.to].max(layers[node] + 1);
        }
    }
    layers
}

fn visit(node: usize, arrows: &[Arrow], seen: &mut [bool], order: &mut Vec<usize>) {
    if std::mem::replace(&mut seen[node], true) {
        return;
    }
    for arrow in arrows.iter().filter(|arrow| arrow.from == node) {
        visit(arrow.to, arrows, seen, order);
    }
    order.push(node);
}

fn place(nodes: &[Node], layers: &[usize]) -> Vec<Placed> {
    let size = |node: &Node| {
        let longest =
            node.lines.iter().map(|line| line.chars().count().min(LONGEST_LINE)).max().unwrap_or(0).max(node.title.chars().count());
        (longest as f64 * CHARACTER + 2.0 * PADDING, (node.lines.len() + 1) as f64 * LINE + PADDING)
    };
    let mut placed: Vec<Placed> = nodes.iter().map(size).map(|(width, height)| Placed { x: 0.0, y: 0.0, width, height }).collect();
    let widest = (0..=layers.iter().copied().max().unwrap_or(0))
        .map(|layer| members(layers, layer).map(|node| placed[node].width + 24.0).sum::<f64>())
        .fold(0.0, f64::max);
    let mut y = PADDING;
    for layer in 0..=layers.iter().copied().max().unwrap_or(0) {
        let width: f64 = members(layers, layer).map(|node| placed[node].width + 24.0).sum();
        let mut x = PADDING + (widest - width) / 2.0;
        let mut tallest: f64 = 0.0;
        for node in members(layers, layer) {
            (placed[node].x, placed[node].y) = (x, y);
            x += placed[node].width + 24.0;
            tallest = tallest.max(placed[node].height);
        }
        y += tallest + GAP;
    }
    placed
}

fn members(layers: &[usize], layer: usize) -> impl Iterator<Item = usize> + '_ {
    layers.iter().enumerate().filter(move |&(_, &own)| own == layer).map(|(node, _)| node)
}

fn stroke(arrow: &Arrow) -> String {
    let dashes = if arrow.dashed { " stroke-dasharray=\"5 4\"" } else { "" };
    format!("fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\"{dashes}", arrow.color)
}

fn label(svg: &mut String, arrow: &Arrow, x: f64, y: f64) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{}\" font-weight=\"bold\">{}</text>", arrow.color, escape(arrow.label));
}

fn down(svg: &mut String, arrow: &Arrow, from: &Placed, to: &Placed) {
    let (x1, y1, x2, y2) = (from.middle(), from.y + from.height, to.middle(), to.y);
    let _ = writeln!(svg, "<path d=\"M{x1:.1} {y1:.1} L{x2:.1} {:.1}\" {}/>", y2 - 7.0, stroke(arrow));
    let _ = writeln!(svg, "<path d=\"M{x2:.1} {y2:.1} l-4.5 -9 h9 z\" fill=\"{}\"/>", arrow.color);
    label(svg, arrow, (x1 + x2) / 2.0 + 6.0, (y1 + y2) / 2.0 + 4.0);
}

fn around(svg: &mut String, arrow: &Arrow, from: &Placed, to: &Placed, lane: f64) {
    let (x1, y1) = (from.x + from.width, from.y + from.height / 2.0 + 6.0);
    let (x2, y2) = (to.x + to.width, to.y + to.height / 2.0 - 6.0);
    let _ = writeln!(
        svg,
        "<path d=\"M{x1:.1} {y1:.1} C{lane:.1} {y1:.1} {lane:.1} {y1:.1} {lane:.1} {:.1} S{lane:.1} {y2:.1} {:.1} {y2:.1}\" {}/>",
        (y1 + y2) / 2.0,
        x2 + 7.0,
        stroke(arrow)
    );
    let _ = writeln!(svg, "<path d=\"M{x2:.1} {y2:.1} l9 -4.5 v9 z\" fill=\"{}\"/>", arrow.color);
    label(svg, arrow, lane + 4.0, (y1 + y2) / 2.0);
}

fn boxed(svg: &mut String, node: &Node, at: &Placed) {
    let _ = writeln!(
        svg,
        "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"5\" fill=\"currentColor\" fill-opacity=\"0.05\" stroke=\"currentColor\" stroke-opacity=\"0.5\"/>",
        at.x, at.y, at.width, at.height
    );
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" font-weight=\"bold\" fill=\"currentColor\">{}</text>",
        at.x + PADDING,
        at.y + LINE,
        escape(&node.title)
    );
    for (number, line) in node.lines.iter().enumerate() {
        let cut: String = line.chars().take(LONGEST_LINE).collect();
        let y = at.y + LINE * (number + 2) as f64;
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{y:.1}\" fill=\"currentColor\">{}</text>", at.x + PADDING, escape(&cut));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_back_edge_is_drawn_around_the_side() {
        let nodes: Vec<Node> = (0..3).map(|at| Node { title: format!("T{at}"), lines: vec!["r x [<1>]".to_owned()] }).collect();
        let arrow = |from, to| Arrow { from, to, label: "ww", color: "#000000", dashed: false };
        let arrows = [arrow(0, 1), arrow(1, 2), arrow(2, 0)];
        assert_eq!(layers(3, &arrows), [0, 1, 2]);
        let svg = draw("a & b", &nodes, &arrows);
        assert!(svg.contains("<title>a &amp; b</title>") && svg.contains("[&lt;1&gt;]"));
        assert_eq!((svg.matches("<rect").count(), svg.matches(">ww<").count()), (3, 3));
    }

    #[test]
    fn boxes_of_a_layer_do_not_overlap() {
        let nodes: Vec<Node> = (0..4).map(|at| Node { title: format!("T{at}"), lines: vec!["x".repeat(at * 9)] }).collect();
        let placed = place(&nodes, &[0, 1, 1, 1]);
        assert!(placed[1].x + placed[1].width < placed[2].x && placed[2].x + placed[2].width < placed[3].x);
    }
}
