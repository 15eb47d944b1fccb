namespace Turbo.Server.Logging;

internal enum LogLevel { Debug, Info, Warn, Error }

internal enum LogFormat { Text, Json }
