// [text, contrast ratio by WCAG 2] of every text that is shown.
(() => {
  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = ([red, green, blue]) => {
    const [r, g, b] = [red, green, blue].map((each) => each / 255)
      .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const found = numbers(getComputedStyle(each).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    throw new Error("no background");
  };
  const ownText = (element) => element.value
    ?? Array.from(element.childNodes).filter((each) => each.nodeType === Node.TEXT_NODE).map((each) => each.data).join("");
  return Array.from(document.querySelectorAll("body *"))
    .filter((each) => each.getClientRects().length && ownText(each).toString().trim() && !each.matches("option, progress"))
    .map((each) => {
      const [one, other] = [numbers(getComputedStyle(each).color), paper(each)].map(luminance);
      return [ownText(each).toString().trim(), (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)];
    });
})()
