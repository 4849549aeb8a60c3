#include "pipeline/report_style.h"

const char REPORT_TRACKS[] = "atswABCDEFGH";

/* Of each track, when it is switched on. */
#define SHADES(track)                                                                  \
	"body:has(#on-" track ":checked) ." track                                      \
	"0{background:repeating-linear-gradient(135deg,var(--none) "                   \
	"0 2px,transparent 2px 7px)}"                                                  \
	"body:has(#on-" track ":checked) ." track "1{background:rgb(var(--heat)/.04)}" \
	"body:has(#on-" track ":checked) ." track "2{background:rgb(var(--heat)/.10)}" \
	"body:has(#on-" track ":checked) ." track "3{background:rgb(var(--heat)/.18)}" \
	"body:has(#on-" track ":checked) ." track "4{background:rgb(var(--heat)/.28)}" \
	"body:has(#on-" track ":checked) ." track "5{background:rgb(var(--heat)/.42)}" \
	"body:has(#on-" track ":checked) ." track "6{background:rgb(var(--heat)/.60)}" \
	"body:has(#on-" track ":checked) ." track "7{background:rgb(var(--heat)/.80)}\n"

const char REPORT_STYLE[] =
	":root{color-scheme:light dark;--paper:#fcfcfa;--ink:#1c1c1a;--soft:#5a5a55;--line:#d4d4cc;"
	"--link:#0b57a4;--heat:214 120 20;--none:#c9c9c2;--mark:#ffe566;--markink:#1c1c1a;--box:#f1f1ec}\n"
	"@media(prefers-color-scheme:dark){:root{--paper:#171816;--ink:#e8e6df;--soft:#a8a69d;--line:#3d3e3a;"
	"--link:#8ab8ff;--heat:224 130 40;--none:#4a4b46;--mark:#6d5a00;--markink:#fff6cf;--box:#20211e}}\n"
	"*{box-sizing:border-box}\n"
	"html{scroll-padding-top:6rem}\n"
	"body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.55 system-ui,sans-serif;"
	"overflow-wrap:anywhere}\n"
	"a{color:var(--link)}\n"
	"a:focus-visible,input:focus-visible,mark:focus-visible{outline:3px solid "
	"var(--link);outline-offset:2px}\n"
	".skip{position:absolute;left:-99rem}\n"
	".skip:focus{left:1rem;top:.5rem;background:var(--paper);padding:.5rem;z-index:2}\n"
	"header,main,footer{max-width:76rem;margin:0 auto;padding:1rem}\n"
	"h1{font-size:1.7rem;line-height:1.25;margin:.5rem 0}\n"
	"h2{font-size:1.2rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--line)}\n"
	"h3{font-size:1rem;margin:1rem 0 .25rem}\n"
	".soft{color:var(--soft);font-size:.9rem}\n"
	".generated::after{content:' \\00b0';color:var(--soft)}\n"
	"blockquote{margin:.5rem 0;padding:.25rem .9rem;border-left:3px solid var(--line)}\n"
	"ol,ul{padding-left:1.4rem}\n"
	"table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.92rem}\n"
	"th,td{padding:.15rem .5rem;text-align:right;border-bottom:1px solid var(--line)}\n"
	"th:first-child,td:first-child{text-align:left;width:50%}\n"
	"th{overflow-wrap:normal}\n"
	"td:not(:first-child){white-space:nowrap}\n"
	".scroll{overflow-x:auto}\n"
	"fieldset{border:1px solid var(--line);border-radius:.4rem;margin:.75rem 0;padding:.25rem .75rem}\n"
	"fieldset label{display:inline-block;margin:.2rem 1rem .2rem 0}\n"
	".strip{display:flex;position:sticky;top:0;z-index:1;height:2.2rem;border:1px solid var(--line);"
	"background:var(--paper)}\n"
	".strip a{flex:1 1 0;min-width:0}\n"
	".strip a:hover{outline:2px solid var(--link)}\n"
	".key{display:flex;flex-wrap:wrap;gap:.75rem;list-style:none;padding:0}\n"
	".key span{display:inline-block;width:1.6rem;height:1rem;vertical-align:middle;border:1px solid "
	"var(--line)}\n"
	".text{white-space:pre-wrap;background:var(--box);border:1px solid var(--line);border-radius:.4rem;"
	"padding:1rem;font:1rem/1.6 Georgia,serif;unicode-bidi:plaintext}\n"
	".text b{font-family:system-ui,sans-serif}\n"
	"mark{background:none;color:inherit;border-bottom:3px solid var(--link)}\n"
	"mark:target,mark:target mark{background:var(--mark);color:var(--markink)}\n"
	".warning{border:2px solid #c62828;border-radius:.4rem;padding:.5rem .9rem}\n" SHADES("a") SHADES("t")
		SHADES("s") SHADES("w") SHADES("A") SHADES("B") SHADES("C") SHADES("D") SHADES("E")
			SHADES("F") SHADES("G")
				SHADES("H") "@media(max-width:40rem){th,td{padding:.15rem .25rem}"
					    ".wide{display:none}.text{padding:.6rem}}\n"
					    "@media print{.strip,.skip,fieldset{display:none}}\n";
