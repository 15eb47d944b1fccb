namespace Turbo.Server.OpenApi;

internal sealed partial class DocsPage
{
    // System colours of its own in light and dark, contrast above 4.5 in both; one column on a phone.
    private const string Style = """
        :root{color-scheme:light dark;--text:#1c2024;--soft:#5a636d;--back:#fff;--panel:#f4f6f8;--line:#d8dde3;--link:#0b57d0}
        @media(prefers-color-scheme:dark){:root{--text:#e6e9ec;--soft:#9aa5b1;--back:#14171a;--panel:#1e2328;--line:#333b43;--link:#8ab4f8}}
        *{box-sizing:border-box}
        html{scroll-padding-top:1rem}
        body{margin:0 auto;max-width:76rem;padding:1rem;color:var(--text);background:var(--back);font:1rem/1.55 system-ui,sans-serif;overflow-wrap:anywhere}
        a{color:var(--link)}
        a:focus-visible{outline:2px solid var(--link);outline-offset:2px}
        .skip{position:absolute;left:-99rem}
        .skip:focus{left:1rem;top:.5rem;background:var(--back);padding:.25rem .5rem}
        h1,h2,h3,h4{line-height:1.25;margin:1.2em 0 .4em}
        h1{margin-top:0}
        h2{border-bottom:1px solid var(--line);padding-bottom:.25rem;margin-top:2.2em}
        h3 a{color:inherit;text-decoration:none}
        h3 a:hover{text-decoration:underline}
        h4{font-size:.85rem;color:var(--soft);text-transform:uppercase;letter-spacing:.04em;margin-bottom:.2em}
        small,em{color:var(--soft);font-weight:normal;font-style:normal;font-size:.85rem}
        p{margin:.4em 0}
        code{font:.9em/1.45 ui-monospace,monospace}
        pre{background:var(--panel);border:1px solid var(--line);border-radius:.4rem;padding:.7rem;overflow-x:auto;overflow-wrap:normal;margin:.3em 0}
        article{padding:.2rem 0 1rem}
        dl{margin:.2em 0}
        dt{margin-top:.35em}
        dd{margin:0 0 0 1.2rem;color:var(--soft)}
        nav ul{list-style:none;margin:0;padding:0}
        nav ul ul{padding-left:.8rem}
        nav code{font-size:.85rem}
        nav a{text-decoration:none}
        nav a:hover{text-decoration:underline}
        @media(min-width:56rem){
        body{display:grid;grid-template-columns:15rem minmax(0,1fr);column-gap:2.5rem}
        header{grid-column:1/-1}
        nav{position:sticky;top:1rem;align-self:start;max-height:calc(100vh - 2rem);overflow-y:auto}
        dl{display:grid;grid-template-columns:minmax(9rem,14rem) minmax(0,1fr);column-gap:1rem}
        dt,dd{margin:.15em 0}
        }
        @media print{nav,.skip{display:none}body{display:block}}
        """;
}
