// Regions of a map: cells of one kind, borders between kinds, and lines of equal value.
// A grid has rows of points, bottom row first, with `x` and `y` the axes of its columns and rows.

const box = (left, right, low, high) => `M${left.toFixed(1)} ${low.toFixed(1)}H${right.toFixed(1)}V${high.toFixed(1)}H${left.toFixed(1)}Z`;

// Of each kind that is not null: its cells as one path, how many they are, and its runs in rows.
function regionsOf(grid, kindOf) {
  const found = new Map();
  grid.rows.forEach((row, j) => {
    const kinds = row.map(kindOf);
    for (let i = 0, end = 0; i < row.length; i = end) {
      for (end = i + 1; end < row.length && kinds[end] === kinds[i]; end++);
      if (kinds[i] === null) continue;
      if (!found.has(kinds[i])) found.set(kinds[i], { path: "", cells: 0, runs: [] });
      const region = found.get(kinds[i]), run = { left: grid.x.edges[i], right: grid.x.edges[end], low: grid.y.edges[j], high: grid.y.edges[j + 1] };
      region.path += box(run.left, run.right, run.low, run.high);
      region.cells += end - i;
      region.runs.push(run);
    }
  });
  return found;
}

function bordersOf(grid, kindOf) {
  const { x, y } = grid, kinds = grid.rows.map((row) => row.map(kindOf));
  const differ = (a, b) => a !== null && b !== null && a !== b;
  let path = "";
  kinds.forEach((row, j) => row.forEach((kind, i) => {
    if (i + 1 < row.length && differ(kind, row[i + 1])) path += `M${x.edges[i + 1].toFixed(1)} ${y.edges[j].toFixed(1)}V${y.edges[j + 1].toFixed(1)}`;
    if (j + 1 < kinds.length && differ(kind, kinds[j + 1][i])) path += `M${x.edges[i].toFixed(1)} ${y.edges[j + 1].toFixed(1)}H${x.edges[i + 1].toFixed(1)}`;
  }));
  return path;
}

// Where what `valueOf` tells of points crosses a level: in each square of four points, straight lines between its sides.
function contourOf(grid, valueOf, level) {
  const heights = grid.rows.map((row) => row.map((n) => (valueOf(n) === null ? null : valueOf(n) - level)));
  let path = "";
  for (let j = 0; j + 1 < heights.length; j++) {
    for (let i = 0; i + 1 < heights[j].length; i++) {
      const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]];
      for (const line of linesInSquare(corners.map(([a, b]) => ({ x: grid.x.centres[a], y: grid.y.centres[b], height: heights[b][a] })))) path += line;
    }
  }
  return path;
}

function linesInSquare(corners) {
  if (corners.some((c) => c.height === null)) return [];
  const crossings = corners.map((corner, k) => crossing(corner, corners[(k + 1) % 4])).filter((c) => c !== null);
  const middle = corners.reduce((sum, c) => sum + c.height, 0);
  const line = (a, b) => `M${crossings[a]}L${crossings[b]}`;
  if (crossings.length === 2) return [line(0, 1)];
  if (crossings.length < 4) return [];
  return middle > 0 === corners[0].height > 0 ? [line(0, 1), line(2, 3)] : [line(3, 0), line(1, 2)];
}

function crossing(a, b) {
  if (a.height > 0 === b.height > 0) return null;
  const share = a.height / (a.height - b.height);
  return `${(a.x + share * (b.x - a.x)).toFixed(1)} ${(a.y + share * (b.y - a.y)).toFixed(1)}`;
}

// A place for some words in a region: in the middle of one of its widest runs; null where there is no room.
function placeForWords(region, words) {
  const widest = Math.max(...region.runs.map((run) => run.right - run.left));
  if (widest < LETTER * words.length || region.runs.length * Math.abs(region.runs[0].high - region.runs[0].low) < LINE) return null;
  const wide = region.runs.filter((run) => run.right - run.left > 0.9 * widest), run = wide[Math.floor(wide.length / 2)];
  return { x: (run.left + run.right) / 2, y: (run.low + run.high) / 2 };
}
