"""Event keys that no one should have, and that a report must show as what they are."""

KEYS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror="document.title=1">',
    "'><svg onload=document.title=2>",
    '"><img src=http://127.0.0.1:9/loaded.png>',
    "</style><style>*{background:url(http://127.0.0.1:9/style.png)}</style>",
    '<link rel=stylesheet href="http://127.0.0.1:9/sheet.css">',
    '<meta http-equiv=refresh content="0;url=http://127.0.0.1:9/away">',
    "<iframe src=http://127.0.0.1:9/frame></iframe>",
    '<a href="javascript:document.title=3" autofocus onfocus=document.title=4>x</a>',
    "</title></table></svg></main><script>document.title=5</script>",
    "<!--",
    "-->]]><b>x",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;script&gt;&#60;script&#62;",
    "\u202egnp.exe",
    "\u2066isolated\u2069 \u2028 line",
    "\x1b[31mred\x9b2J\x07",
    "a" * 5_000,
    "مرحبا 이벤트 🎉",
    "=cmd|' /C calc'!A0",
)
