using System.Text;
using Turbo.Net.Content;

namespace Turbo.Tests.Net.Content;

[TestFixture]
internal sealed class JsonFieldsTests
{
    [TestCase("{}", "")]
    [TestCase(" \r\n\t{ } \n", "")]
    [TestCase("""{"a":"x"}""", "a=String:x")]
    [TestCase("""{"a":1,"b":-2.5e3}""", "a=Number:1|b=Number:-2.5e3")]
    [TestCase("""{"a":true,"b":false,"c":null}""", "a=Boolean:true|b=Boolean:false|c=Null:")]
    [TestCase("""{"\u0061\"":"\u00fc\n\ud83d\ude00"}""", "a\"=String:ü\n😀")]
    [TestCase("""{"ü":"☃"}""", "ü=String:☃")]
    [TestCase("""{"a":["x","\u0079",1,null,true]}""", "a=[String:x,String:y,Number:1,Null:,Boolean:true]")]
    [TestCase("""{"a":[],"b":"x"}""", "a=[]|b=String:x")]
    [TestCase("""{"a":[["x"],{"b":[1]},"z"],"b":2}""", "a=[Array:,Object:,String:z]|b=Number:2")]
    [TestCase("""{"a":{"b":{"c":[1,2,{"a":"}"}]}},"d":"x"}""", "a=Object:|d=String:x")]
    [TestCase("""{"a":1,"a":2}""", "a=Number:1|a=Number:2")]   // both are told: the caller chooses
    public void Fields(string json, string expected) => Assert.That(Read(json, out ContentError error), Is.EqualTo(expected), error.ToString());

    [TestCase("")]
    [TestCase(" ")]
    [TestCase("[]")]
    [TestCase("\"a\"")]
    [TestCase("1")]
    [TestCase("null")]
    [TestCase("{")]
    [TestCase("}")]
    [TestCase("""{"a"}""")]
    [TestCase("""{"a":}""")]
    [TestCase("""{"a":1""")]
    [TestCase("""{"a":1,}""")]
    [TestCase("""{,"a":1}""")]
    [TestCase("""{a:1}""")]
    [TestCase("""{'a':1}""")]
    [TestCase("""{"a":1}{}""")]
    [TestCase("""{"a":1} x""")]
    [TestCase("""{"a":1 /* b */}""")]
    [TestCase("""{"a":01}""")]
    [TestCase("""{"a":+1}""")]
    [TestCase("""{"a":NaN}""")]
    [TestCase("""{"a":True}""")]
    [TestCase("{\"a\":\"x\ny\"}")]                            // a bare control character
    [TestCase("""{"a":"\x"}""")]
    [TestCase("""{"a":"\u12"}""")]
    [TestCase("""{"a":["x",]}""")]
    [TestCase("""{"a":["x"}""")]
    [TestCase("""{"unknown":[{"b":]},"c":1}""")]              // what is skipped is checked
    [TestCase("﻿{}")]                                         // a byte order mark (RFC 8259 §8.1)
    public void What_is_not_one_object_is_refused(string json)
    {
        Read(json, out ContentError error);
        Assert.That(error, Is.EqualTo(ContentError.Malformed));
    }

    [TestCase("""{"a":"\ud800"}""")]
    [TestCase("""{"a":"\udc00x"}""")]
    [TestCase("""{"\ud800":1}""")]
    public void Half_a_surrogate_pair_is_refused(string json)
    {
        Read(json, out ContentError error);
        Assert.That(error, Is.EqualTo(ContentError.InvalidText));
    }

    [TestCase(new byte[] { 0x80 })]
    [TestCase(new byte[] { 0xc3 })]
    [TestCase(new byte[] { 0xc0, 0xaf })]                     // overlong
    [TestCase(new byte[] { 0xed, 0xa0, 0x80 })]               // a surrogate
    [TestCase(new byte[] { 0xf5, 0x80, 0x80, 0x80 })]
    public void Bytes_that_are_no_UTF8_are_refused_even_where_skipped(byte[] bytes)
    {
        byte[] json = [.. "{\"skipped\":[\""u8, .. bytes, .. "\"]}"u8];
        JsonFields fields = new(json);
        Assert.That(fields.Read(new byte[64], out _), Is.False);
        Assert.That(fields.Error, Is.EqualTo(ContentError.InvalidText));
    }

    [TestCase(JsonFields.MaxDepth, ContentError.None)]
    [TestCase(JsonFields.MaxDepth + 1, ContentError.Malformed)]
    [TestCase(100_000, ContentError.Malformed)]
    public void Depth_is_bounded(int depth, ContentError expected)
    {
        string json = $$"""{"a":{{new string('[', depth - 1)}}{{new string(']', depth - 1)}}}""";
        Read(json, out ContentError error, lookInside: false);
        Assert.That(error, Is.EqualTo(expected));
    }

    [Test]
    public void As_many_fields_as_the_limit_and_no_more()
    {
        byte[] name = new byte[8];
        JsonFields fields = new("""{"a":1,"b":2,"c":3}"""u8, maxFields: 2);
        Assert.That(fields.Read(name, out _) && fields.Read(name, out _) && !fields.Read(name, out _));
        Assert.That(fields.Error, Is.EqualTo(ContentError.TooManyFields));

        JsonFields skipped = new("""{"a":[1,2,3,4,5],"b":1}"""u8, maxFields: 2);
        Assert.That(skipped.Read(name, out _) && skipped.Read(name, out _) && !skipped.Read(name, out _));
        Assert.That(skipped.Error, Is.EqualTo(ContentError.None));
    }

    [Test]
    public void The_rest_of_an_array_is_skipped()
    {
        JsonFields fields = new("""{"a":["x",["y",["z"]],{}],"b":"w"}"""u8);
        byte[] name = new byte[64];
        Assert.That(fields.Read(name, out _) && fields.ReadElement() && fields.ReadElement());
        Assert.That(fields.Kind, Is.EqualTo(JsonFieldKind.Array));
        Assert.That(fields.Read(name, out int length) && name.AsSpan(0, length).SequenceEqual("b"u8));
        Assert.That(fields.RawValue.SequenceEqual("w"u8));
        Assert.That(fields.ReadElement(), Is.False);
    }

    [Test]
    public void Reading_allocates_nothing()
    {
        byte[] json = """{"username":"alice","password":"p\u0040ss","ids":["a","b"],"other":{"x":[1]}}"""u8.ToArray();
        Go(json);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) Go(json);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);

        static void Go(byte[] json)
        {
            Span<byte> buffer = stackalloc byte[128];
            JsonFields fields = new(json);
            while (fields.Read(buffer, out _))
            {
                while (fields.ReadElement()) fields.TryCopyValue(buffer, out _);
                fields.TryCopyValue(buffer, out _);
            }
        }
    }

    private static string Read(string json, out ContentError error, bool lookInside = true)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(json), buffer = new byte[bytes.Length + 1];
        List<string> all = [];
        JsonFields fields = new(bytes);
        while (fields.Read(buffer, out int length))
        {
            string name = Encoding.UTF8.GetString(buffer, 0, length);
            if (fields.Kind == JsonFieldKind.Array && lookInside)
            {
                List<string> elements = [];
                while (fields.ReadElement()) elements.Add(Value(ref fields, buffer));
                all.Add($"{name}=[{string.Join(',', elements)}]");
            }
            else all.Add($"{name}={Value(ref fields, buffer)}");
        }
        error = fields.Error;
        return error == ContentError.None ? string.Join('|', all) : "";
    }

    private static string Value(ref JsonFields fields, byte[] buffer)
    {
        fields.TryCopyValue(buffer, out int length);
        return $"{fields.Kind}:{Encoding.UTF8.GetString(buffer, 0, length)}";
    }
}
