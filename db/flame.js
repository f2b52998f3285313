// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Zoom and search of a flame graph; data-x, data-w (pixels unzoomed) and data-d (depth) of a box say
// where it stands.
(function () {
	"use strict";
	var margin = 10, width = 1200 - 2 * margin, charWidth = 7;
	var boxes = Array.prototype.slice.call(document.querySelectorAll("g.f"));
	var reset = document.getElementById("reset"), found = document.getElementById("found");
	function short(name) {
		var open = name.indexOf("(");
		return open > 0 ? name.slice(0, open) : name;
	}
	function place(box, x, w) {
		var rect = box.querySelector("rect"), text = box.querySelector("text");
		var name = short(box.dataset.n), room = Math.floor(w / charWidth);
		box.style.display = w < 0.2 ? "none" : "";
		rect.setAttribute("x", margin + x);
		rect.setAttribute("width", w);
		text.setAttribute("x", margin + x + 3);
		text.textContent = name.length <= room ? name : room > 2 ? name.slice(0, room - 2) + ".." : "";
	}
	// What holds the chosen box becomes as wide as the picture, what it holds grows with it.
	function zoom(chosen) {
		var x = chosen ? +chosen.dataset.x : 0, w = chosen ? +chosen.dataset.w : width;
		var depth = chosen ? +chosen.dataset.d : 0;
		boxes.forEach(function (box) {
			var bx = +box.dataset.x, bw = +box.dataset.w, holds = +box.dataset.d < depth;
			if (holds && bx <= x + 1e-6 && bx + bw >= x + w - 1e-6)
				place(box, 0, width);
			else if (!holds && bx >= x - 1e-6 && bx + bw <= x + w + 1e-6)
				place(box, (bx - x) * width / w, bw * width / w);
			else
				place(box, 0, 0);
		});
		reset.setAttribute("visibility", chosen ? "visible" : "hidden");
	}
	function search() {
		var word = window.prompt("Function with", ""), seen = 0, n = 0;
		boxes.forEach(function (box) {
			var hit = word && box.dataset.n.toLowerCase().indexOf(word.toLowerCase()) >= 0;
			box.setAttribute("class", hit ? "f h" : "f");
			if (!hit)
				return;
			n++;
			// a match inside a match is the same memory
			var x = +box.dataset.x, d = +box.dataset.d, w = +box.dataset.w;
			if (!boxes.some(function (o) {
				return o !== box && o.getAttribute("class") === "f h" && +o.dataset.d < d &&
					+o.dataset.x <= x + 1e-6 && +o.dataset.x + +o.dataset.w >= x + w - 1e-6;
			}))
				seen += w;
		});
		found.textContent = word ? n + " boxes, " + (100 * seen / width).toFixed(1) + " %" : "";
	}
	boxes.forEach(function (box) {
		box.addEventListener("click", function () { zoom(box); });
	});
	reset.addEventListener("click", function () { zoom(null); });
	document.getElementById("search").addEventListener("click", search);
	window.addEventListener("keydown", function (e) {
		if (e.ctrlKey && e.key === "f") {
			e.preventDefault();
			search();
		}
	});
})();
