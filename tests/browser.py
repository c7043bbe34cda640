"""Opens pages of `--html` in headless Chromium and says in JSON what is wrong with each.

usage: browser.py AXE SHOTS PAGE...

AXE is axe-core's axe.min.js. Screenshots are put into the folder SHOTS. Every page is opened in light and in dark, with its views
clicked through, and once without scripts. A page is wrong if it logs anything, asks for anything but itself, has been changed by
the name of a test, or shows a serious fault to axe-core. How long it takes to open is told, and is no fault.
"""

import json
import os
import sys
import time
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

SERIOUS = ("serious", "critical")
#: Seconds after which what has not happened is not going to.
PATIENCE = 10


def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    for argument in [
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--window-size=1280,1000",
        "--hide-scrollbars",
    ]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver")))
    driver.set_script_timeout(120)
    return driver


def media(driver, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def requests(driver):
    """The addresses that were asked for since the last call."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    ]
    return [url for url in sent if not url.startswith("chrome:")]


def faults(driver, axe):
    driver.execute_script(axe)
    # A timer would be throttled in a page that is not seen.
    found = driver.execute_async_script(
        "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations), e => done([{id: String(e), impact: 'critical', nodes: []}]));"
    )
    return [
        (fault["impact"], fault["id"], [node["html"][:120] for node in fault["nodes"]][:3])
        for fault in found
        if fault["impact"] in SERIOUS
    ]


def shot(driver, path):
    size = driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
    driver.set_window_size(1280, min(int(size["height"]) + 40, 12000))
    driver.save_screenshot(str(path))
    driver.set_window_size(1280, 1000)


def for_the_book(driver, path):
    """A screenshot of the top of a page, in few colours."""
    path.parent.mkdir(exist_ok=True)
    driver.set_window_size(1100, 900)
    driver.save_screenshot(str(path))
    driver.set_window_size(1280, 1000)
    Image.open(path).convert("RGB").quantize(64).save(path, optimize=True)


def click_through(driver):
    """Uses what a reader can use, by keyboard; gives what went wrong."""
    wrong = []
    for summary in driver.find_elements(By.TAG_NAME, "summary"):
        before = summary.find_element(By.XPATH, "..").get_attribute("open")
        summary.send_keys(Keys.ENTER)
        if summary.find_element(By.XPATH, "..").get_attribute("open") == before:
            wrong.append("a summary does not open by its key")
    for button in driver.find_elements(By.CSS_SELECTOR, "button[data-copy]")[:3]:
        button.send_keys(Keys.ENTER)
        try:
            WebDriverWait(driver, PATIENCE).until(lambda page: page.find_element(By.ID, "copied").text)
        except TimeoutException:
            wrong.append("a button does not copy")
    if driver.find_elements(By.ID, "gantt"):
        status = driver.find_element(By.ID, "gantt-status")
        for button in driver.find_elements(By.CSS_SELECTOR, "button[data-move]"):
            button.send_keys(Keys.SPACE)
        if not status.text:
            wrong.append("no test is told of")
        choice = driver.find_element(By.ID, "trial")
        choice.send_keys(Keys.ARROW_DOWN)
        actions = webdriver.ActionChains(driver)
        for canvas in ["gantt", "matrix"]:
            element = driver.find_element(By.ID, canvas)
            actions.scroll_to_element(element).move_to_element_with_offset(element, -100, 0).move_by_offset(
                -2, 2
            ).perform()
        colours = driver.execute_script(
            "return ['gantt', 'matrix'].map(id => { const c = document.getElementById(id);"
            " return new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size; })"
        )
        if min(colours) < 2:
            wrong.append(f"a canvas is empty: {colours}")
    return wrong


def opened(driver, address):
    driver.get("about:blank")
    requests(driver)
    driver.get_log("browser")
    start = time.monotonic()
    driver.get(address)
    # The script has drawn by then.
    driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    return time.monotonic() - start


def look(driver, axe, path, shots):
    address = Path(path).resolve().as_uri()
    said = {"bytes": os.path.getsize(path), "wrong": []}
    wrong = said["wrong"]
    for scheme in ["light", "dark"]:
        media(driver, scheme)
        said[f"seconds {scheme}"] = round(opened(driver, address), 3)
        title = driver.title
        if not title.startswith("jostle: "):
            wrong.append(f"its title was changed: {title}")
        shot(driver, Path(shots) / f"{Path(path).stem}-{scheme}.png")
        for_the_book(driver, Path(shots) / "book" / f"{Path(path).stem}-{scheme}.png")
        wrong += click_through(driver)
        shot(driver, Path(shots) / f"{Path(path).stem}-{scheme}-used.png")
        asked = [url for url in requests(driver) if url != address and not url.startswith(address + "#")]
        wrong += [f"asks for {url}" for url in asked]
        wrong += [f"logs {entry['message']}" for entry in driver.get_log("browser")]
        if driver.title != title:
            wrong.append(f"its title was changed: {driver.title}")
        found = faults(driver, axe)
        said[f"axe {scheme}"] = len(found)
        wrong += [f"axe, {scheme}: {fault}" for fault in found]
        # axe-core is put into the page by the driver, past its policy, and what it does is no matter of the page.
        driver.get_log("browser")
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    driver.get(address)
    text = driver.find_element(By.TAG_NAME, "main").text
    shown = [button for button in driver.find_elements(By.TAG_NAME, "button") if button.is_displayed()]
    if len(text) < 200 or shown:
        wrong.append("without scripts it lacks text, or has buttons that do nothing")
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    return said


def main():
    axe, shots, *pages = sys.argv[1:]
    Path(shots).mkdir(parents=True, exist_ok=True)
    driver = browser()
    try:
        script = Path(axe).read_text(encoding="utf-8")
        print(json.dumps({page: look(driver, script, page, shots) for page in pages}, indent=1))
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
