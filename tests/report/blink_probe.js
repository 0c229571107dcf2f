// Works the first flicker as a person would, and writes what it showed into the page.
addEventListener("load", () => {
  const blink = document.querySelector(".blink"), controls = blink.querySelector(".controls");
  const button = controls.querySelector("button"), [mix] = controls.querySelectorAll("input");
  const seen = [];
  const look = (done) => seen.push({
    done, button: button.textContent, mix: mix.value,
    a: getComputedStyle(blink.querySelector(".over")).opacity,
    clip: getComputedStyle(blink.querySelector(".over")).clipPath,
  });
  const finish = () => {
    const answer = document.createElement("pre");
    answer.id = "blink";
    answer.textContent = JSON.stringify({ hidden: controls.hidden, seen });
    document.body.append(answer);
  };
  look("loaded");
  mix.value = 30;
  mix.dispatchEvent(new Event("input"));
  look("mixed");
  button.click();
  look("played");
  setTimeout(() => {
    look("waited");
    button.click();
    look("paused");
    finish();
  }, 700);
});
