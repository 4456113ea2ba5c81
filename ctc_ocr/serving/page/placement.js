// Boxes in a row, each as near as possible to the place it belongs to, none over another.

// The centres of boxes of these widths, between 0 and `total`, whose wanted centres are in rising order; that of the
// least sum of squared distances from the wanted ones (pool adjacent violators), if `total` has room for all.
export function place(wanted, widths, total) {
  const before = [];
  let sum = 0;
  for (const width of widths) {
    before.push(sum + width / 2);
    sum += width;
  }
  // Without the widths of the boxes before it, a box may be anywhere that is not left of its neighbour.
  const pools = [];
  wanted.forEach((centre, index) => {
    let pool = { mean: centre - before[index], count: 1 };
    while (pools.length && pools.at(-1).mean > pool.mean) {
      const last = pools.pop();
      const count = last.count + pool.count;
      pool = { mean: (last.mean * last.count + pool.mean * pool.count) / count, count };
    }
    pools.push(pool);
  });
  const room = Math.max(0, total - sum);
  const starts = pools.flatMap(({ mean, count }) => Array(count).fill(Math.min(Math.max(mean, 0), room)));
  return starts.map((start, index) => start + before[index]);
}
