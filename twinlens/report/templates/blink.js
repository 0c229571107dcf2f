for (const blink of document.querySelectorAll(".blink")) {
  const controls = blink.querySelector(".controls"), button = controls.querySelector("button");
  const [mix, rate] = controls.querySelectorAll("input");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = 0;
  const show = (percent) => {
    blink.classList.add("live");
    blink.style.setProperty("--b", percent / 100);
    mix.value = percent;
    mix.setAttribute("aria-valuetext", `${percent} % camera B`);
  };
  const flip = () => show(mix.value < 50 ? 100 : 0);
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    button.textContent = still.matches ? "Switch" : "Play";
  };
  const play = () => {
    clearInterval(timer);
    timer = setInterval(flip, 1000 / rate.value);
    button.textContent = "Pause";
  };
  // Who asked for less motion gets one change per press, and never a picture that changes by itself.
  button.addEventListener("click", () => {
    if (timer) return stop();
    flip();
    if (!still.matches) play();
  });
  mix.addEventListener("input", () => { stop(); show(mix.value); });
  rate.addEventListener("input", () => { if (timer) play(); });
  still.addEventListener("change", stop);
  controls.hidden = false;
  stop();
}
