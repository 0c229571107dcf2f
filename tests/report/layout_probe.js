// Runs inside the page: what overlaps, what sticks out, which picture is not sharp. Writes JSON into the page.
addEventListener("load", () => {
  const found = [], slack = 1;
  const name = (e) => `${e.tagName.toLowerCase()}.${e.className} "${e.textContent.trim().slice(0, 30)}"`;
  const shown = (e) => e.checkVisibility() && e.getBoundingClientRect().width > 0;
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) found.push(`the page is ${wide} px wide in a window of ${innerWidth} px`);
  for (const parent of document.querySelectorAll("body *")) {
    if (!shown(parent)) continue;
    const children = [...parent.children].filter((e) => shown(e)
      && !["inline", "contents"].includes(getComputedStyle(e).display)
      && !["absolute", "fixed", "sticky"].includes(getComputedStyle(e).position));
    const boxes = children.map((e) => e.getBoundingClientRect());
    for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length; j++) {
      const x = Math.min(boxes[i].right, boxes[j].right) - Math.max(boxes[i].left, boxes[j].left);
      const y = Math.min(boxes[i].bottom, boxes[j].bottom) - Math.max(boxes[i].top, boxes[j].top);
      if (x > slack && y > slack) found.push(`${name(children[i])} overlaps ${name(children[j])}`);
    }
    const frame = parent.parentElement.closest(".card, .tile, .panel, .cell, main");
    if (!frame || parent.closest(".scroll")) continue;
    const box = parent.getBoundingClientRect(), around = frame.getBoundingClientRect();
    if (box.right > around.right + slack || box.left < around.left - slack)
      found.push(`${name(parent)} sticks out of ${name(frame)}`);
  }
  for (const img of document.images) {
    if (!img.complete || img.naturalWidth === 0) found.push(`no picture: ${img.alt}`);
    if (!shown(img) || img.classList.contains("drawing")) continue;
    const { width, height } = img.getBoundingClientRect();
    const exact = Math.abs(width - img.naturalWidth) < 0.01 && Math.abs(height - img.naturalHeight) < 0.01;
    if (img.classList.contains("native") && !exact) found.push(`not pixel for pixel: ${img.alt}`);
    if (width > img.naturalWidth + 0.01) found.push(`enlarged: ${img.alt}`);
  }
  const answer = document.createElement("pre");
  answer.id = "layout";
  answer.textContent = JSON.stringify({ width: innerWidth, pictures: document.images.length, found });
  document.body.append(answer);
});
